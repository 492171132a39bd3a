"""`make` prints no more than a screen, and no target is left out."""

import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
LINES, COLUMNS = 24, 80


def printed(target):
    return subprocess.check_output(["make", "--no-print-directory", target], cwd=TOP, text=True).splitlines()


@pytest.mark.parametrize("target", ["help", "help-more"])
def test_a_list_of_targets_fits_a_screen(target):
    lines = printed(target)
    assert len(lines) <= LINES
    assert [] == [line for line in lines if len(line) > COLUMNS]


def test_every_target_is_listed():
    (declared,) = re.findall(r"^\.PHONY: (.*)$", (TOP / "Makefile").read_text(), re.MULTILINE)
    listed = [line.split()[1] for target in ("help", "help-more") for line in printed(target)]
    assert sorted({*declared.split()} - {"help"}) == sorted(listed)


def test_no_target_needs_a_path_of_modules():
    assert "PYTHONPATH" not in (TOP / "Makefile").read_text()
