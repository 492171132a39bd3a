"""No test compares the sentence of an error that has a class of its own: the class, its code or its `details()` say which it is.

A sentence that is written at its raise site, that states facts, or that belongs to the test may be quoted.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(ROOT.glob("services/*/src/**/*.py"))
TESTS = sorted(
    path
    for folder in ("tests", "services", "deploy", "loadtest", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if ("tests" in path.relative_to(ROOT).parts or path.name.startswith("test_"))
    and "node_modules" not in path.parts
)


class Errors:
    """The error classes of some modules.

    Args:
        modules: The modules' texts.

    Attributes:
        sentences: The default message of each class that declares one.

    """

    def __init__(self, modules: Sequence[str]) -> None:
        classes = [
            node for text in modules for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)
        ]
        self._bases = {one.name: {ast.unparse(base) for base in one.bases} for one in classes}
        self.sentences = {one.name: sentence for one in classes for sentence in _default_messages(one)}

    def matched(self, name: str, pattern: str) -> Iterator[str]:
        """Yield the classes of one kind whose default message a pattern matches."""
        for one, sentence in self.sentences.items():
            if self._is(one, name) and re.search(pattern, sentence):
                yield one

    def _is(self, name: str, kind: str) -> bool:
        return name == kind or any(self._is(base, kind) for base in self._bases.get(name, ()))


def _default_messages(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        value = getattr(each, "value", None)
        if getattr(target, "id", "") == "default_message" and isinstance(value, ast.Constant) and value.value:
            yield value.value


def quoted(text: str, errors: Errors) -> Iterator[str]:
    """Yield each place of a test that quotes the sentence of an error class."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for name, sentence in errors.sentences.items():
                if sentence in node.value:
                    yield f"line {node.lineno}: compare {name}, or its code, instead of {sentence!r}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises" and node.args:
            for pattern in (each.value for each in node.keywords if each.arg == "match"):
                if isinstance(pattern, ast.Constant):
                    for name in errors.matched(ast.unparse(node.args[0]), str(pattern.value)):
                        yield f"line {node.lineno}: expect {name} instead of matching its sentence"


@pytest.fixture(scope="module")
def errors():
    return Errors([path.read_text(encoding="utf-8") for path in SOURCES])


def test_the_errors_of_both_services_are_known(errors):
    assert {"TokenExpired", "LogHeld", "WrongLogin"} <= errors.sentences.keys()


def test_no_test_quotes_the_sentence_of_an_error_class(errors):
    found = {
        path.relative_to(ROOT).as_posix(): list(quoted(path.read_text(encoding="utf-8"), errors))
        for path in TESTS
    }

    assert len(found) > 200
    assert {} == {name: places for name, places in found.items() if places}


OWN: Mapping[str, str] = {
    "a literal": 'assert "It is late." == reason["message"]',
    "a longer literal": 'assert "[late] It is late. Hurry up!" in text',
    "a pattern": 'pytest.raises(Wrong, match="late")',
    "a pattern of the class": 'pytest.raises(TooLate, match="^It is")',
}


@pytest.mark.parametrize("text", OWN.values(), ids=list(OWN))
def test_a_quoted_sentence_is_found(text):
    errors = Errors(
        [
            'class Wrong(Exception):\n    default_message = ""',
            'class TooLate(Wrong):\n    default_message = "It is late."',
        ]
    )

    assert 1 == len(list(quoted(text, errors)))


@pytest.mark.parametrize(
    "text",
    [
        "pytest.raises(TooLate)",
        'pytest.raises(Wrong, match="12 bytes")',
        'pytest.raises(Other, match="late")',
        'assert "late" == error.code',
        "assert TooLate().details() == reason",
    ],
)
def test_codes_classes_and_facts_are_no_quotations(text):
    errors = Errors(["class TooLate(Wrong):\n    default_message = 'It is late.'"])

    assert [] == list(quoted(text, errors))
