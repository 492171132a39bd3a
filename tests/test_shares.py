"""The parts of CI: each has its share of minutes, and fails if it takes twice as long."""

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLE = """
| part | minutes | what it runs |
|---|---|---|
| short | 0.005 | a command |
| long | 1 | a command |
"""
TIMEOUT_S = 60


@pytest.fixture
def part(tmp_path, starts_servers):
    """Run a command as a part; returns its status and its output."""
    import subprocess

    (tmp_path / "shares.md").write_text(TABLE)

    def run(*command):
        ended = subprocess.run(
            [ROOT / ".ci" / "part", *command],
            env=os.environ | {"SHARES": str(tmp_path / "shares.md")},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    return run


def test_a_part_within_its_share_says_how_long_it_took(part):
    assert (0, "done\n== long: 0 of 1 min\n") == part("long", "echo", "done")


def test_a_part_that_fails_fails_as_it_did(part):
    assert (3, "== long: 0 of 1 min\n") == part("long", "sh", "-c", "exit 3")


def test_a_part_that_takes_twice_its_share_is_stopped_and_fails(part):
    status, output = part("short", "sleep", "30")

    assert 124 == status
    assert "short: stopped, as it took twice its share" in output


def test_a_part_without_a_share_does_not_run(part):
    status, output = part("unknown", "echo", "done")

    assert 2 == status
    assert "done" not in output


def test_each_part_that_ci_runs_has_a_share_and_each_share_a_part():
    parts = re.findall(r"^ *\$part (\w+) ", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## What CI runs")[1].split("\n## ")[0]

    assert parts == re.findall(r"^\| (\w+) \| \d+ \|", section, re.MULTILINE)


def test_ci_runs_each_kind_of_test_that_is_left_out_of_make_test():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    left_out = re.findall(r"not (\w+)", options[options.index("-m") + 1])
    recipes = re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {mark: name for name, recipe in recipes for mark in re.findall(r"pytest -m (\w+) ", recipe)}
    runs = re.findall(r"^ *\$part \w+ make (.*)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)

    assert left_out
    assert {*left_out} <= {*targets}
    assert {targets[mark] for mark in left_out} <= {target for run in runs for target in run.split()}
