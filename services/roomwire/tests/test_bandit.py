"""What bandit finds in the services has its reason beside it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
SOURCES = sorted((TOP / "services").glob("*/src"))
# ruff knows most of bandit's rules under the same numbers: what is said to the one holds for the other. Where only bandit
# sees something, its own mark says why.
RULES = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["ignore"]
EXPLAINED = {f"B{rule[1:]}" for rule in RULES if re.fullmatch(r"S\d+", rule)}


def findings(*folders):
    """Yield what bandit finds: the rule, the place and the lines."""
    command = [
        sys.executable,
        "-m",
        "bandit",
        "--quiet",
        "--ignore-nosec",
        "--format",
        "json",
        "--recursive",
        *map(str, folders),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode in {0, 1}, ran.stderr
    report = json.loads(ran.stdout)
    assert [] == report["errors"]
    for result in report["results"]:
        lines = Path(result["filename"]).read_text().splitlines()
        code = [lines[number - 1] for number in result["line_range"]]
        yield result["test_id"], f"{result['filename']}:{result['line_number']}", code


def unexplained(*folders):
    return [
        (rule, place)
        for rule, place, code in findings(*folders)
        if rule not in EXPLAINED
        and not any(re.search(rf"# (?:noqa: .*\bS|nosec .*\bB){rule[1:]}\b.* - \w", line) for line in code)
    ]


def test_every_finding_has_its_reason_in_its_line():
    assert 3 == len(SOURCES)
    assert [] == unexplained(*SOURCES)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        pytest.param("eval(input())", 1, id="no reason"),
        pytest.param("eval(input())  # noqa: S307", 1, id="a mark without a reason"),
        pytest.param("eval(input())  # noqa: S101 - another", 1, id="a reason for something else"),
        pytest.param("eval(input())  # nosec", 1, id="bandit's own mark without a reason"),
        pytest.param("eval(input())  # nosec B307 - for a test", 0, id="bandit's own mark with one"),
        pytest.param("eval(input())  # nosec B101 - another", 1, id="bandit's own mark for something else"),
        pytest.param("eval(input())  # noqa: S307 - for a test", 0, id="a reason"),
    ],
)
def test_a_finding_without_one_is_seen(tmp_path, line, number):
    (tmp_path / "module.py").write_text(f"{line}\n")

    assert number == len(unexplained(tmp_path))
