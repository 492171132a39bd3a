"""Which tests prove which module: by their file names, or by `services/proofs.toml`."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    package.name: package
    for package in (ROOT / "services").glob("*/src/*")
    if (package / "__init__.py").exists()
}
MODULES = [
    (name, path.relative_to(package).as_posix())
    for name, package in sorted(PACKAGES.items())
    for path in sorted(package.rglob("*.py"))
]


def listed():
    return tomllib.loads((ROOT / "services" / "proofs.toml").read_text(encoding="utf-8"))


def defines_anything(text):
    """Return whether a module defines a function or a class: a list of names needs no proof."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.parse(text).body
    )


def named_for(package, module):
    """Return the test file with the module's name, if there is one."""
    path, tests = Path(module), PACKAGES[package].parents[1] / "tests"
    noun = path.parent.name if path.stem == "__init__" else path.stem
    found = tests / path.parent / f"test_{noun}.py"
    return found if found.exists() else None


@pytest.mark.parametrize(("package", "module"), MODULES, ids="/".join)
def test_each_module_has_a_test_file_of_its_name_or_stands_in_the_table(package, module):
    # `__main__` is a command line, which the tests of its program start.
    if module.endswith("__main__.py") or not defines_anything(
        (PACKAGES[package] / module).read_text(encoding="utf-8")
    ):
        assert module not in listed().get(package, {}), "it defines nothing: there is nothing to prove"
    elif named_for(package, module):
        assert module not in listed().get(package, {}), (
            "it has a test file of its name: the table need not say it"
        )
    else:
        assert listed().get(package, {}).get(module), (
            "add a test file of its name, or a line to services/proofs.toml"
        )


def test_what_the_table_names_exists():
    for package, lines in listed().items():
        assert [] == [module for module in lines if (package, module) not in MODULES]
        for tests in lines.values():
            assert [] == [test for test in tests if not (ROOT / test).is_file()]
            assert [] == [test for test in tests if not Path(test).name.startswith("test_")]
            assert sorted(set(tests)) == sorted(tests)


def test_the_rule_finds_a_file_by_its_place_and_name():
    outbox = ROOT / "services/roomwire/tests/log/test_outbox.py"

    assert outbox == named_for("roomwire", "log/outbox.py")
    assert named_for("roomwire", "history/outbox.py") is None
