"""A test that the machine cannot run is skipped on a developer's machine, and fails in CI."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need

ROOT = Path(__file__).resolve().parents[1]
FOR_ANOTHER_REASON = {
    # There is no browser: with CI set these tests run, and fail for that reason.
    "conftest.py": "NO_CHROMIUM",
    # The tested release or kind of server lacks the feature.
    "services/roomwire/tests/rooms/test_registry.py": "before 5.18",
    "services/roomwire/tests/redis/test_cluster.py": "Redis 7 moves a slot",
}
"""Files whose skips have other reasons than the machine, each with words of its reason."""
SKIPS = frozenset({"skip", "skipif", "importorskip"})
CODE = sorted(
    path
    for folder in ("tests", "services", "deploy", "loadtest", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" in path.parts and "node_modules" not in path.parts
)


def skips(text: str) -> Iterator[str]:
    """Yield each call that skips tests."""
    if "skip" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SKIPS:
            yield ast.unparse(node)


def test_what_is_there_is_no_reason_to_skip():
    need("/usr/bin/go", "Go")


def test_on_a_developers_machine_a_missing_requirement_skips(monkeypatch):
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"^needs Go$"):
        need(None, "Go")


def test_in_ci_a_missing_requirement_fails(monkeypatch):
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=r"^needs Go$"):
        need(None, "Go")


def test_nothing_else_skips_a_test_for_what_the_machine_lacks():
    found = {
        path.relative_to(ROOT).as_posix(): [*skips(path.read_text(encoding="utf-8"))]
        for path in [ROOT / "conftest.py", *CODE]
        if path != ROOT / "tests" / "needs.py"
    }
    said = {name: calls for name, calls in found.items() if calls}

    assert FOR_ANOTHER_REASON.keys() == said.keys(), "say `need(found, what)` of tests/needs.py"
    for name, calls in said.items():
        assert 1 == len(calls)
        assert FOR_ANOTHER_REASON[name] in calls[0]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("pytest.skip('no')", 1),
        ("@pytest.mark.skipif(not X, reason='no')\ndef test(): ...", 1),
        ("item.add_marker(pytest.mark.skip(reason='no'))", 1),
        ("thing.skipped()", 0),
    ],
)
def test_a_skip_is_seen(text, count):
    assert count == len([*skips(text)])


def test_ci_says_that_it_is_ci():
    assert "\nexport CI=true\n" in (ROOT / ".ci" / "run").read_text()
