"""Lua stands in files of its own, whose heads say what KEYS and ARGV are."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
SOURCES = [
    path
    for pattern in ("services/*/src", "loadtest/src", "deploy/*/src", "deploy/helm/roomwire/files")
    for folder in ROOT.glob(pattern)
    for path in folder.rglob("*")
]
PYTHON = sorted(path for path in SOURCES if path.suffix == ".py")
LUA = sorted(path for path in SOURCES if path.suffix == ".lua")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_python_source_holds_lua():
    assert [] == [named(path) for path in PYTHON if "redis.call(" in path.read_text()]


@pytest.mark.parametrize("path", LUA, ids=named)
def test_a_script_says_at_its_head_what_its_keys_are(path):
    lines = path.read_text().splitlines()
    code = next(place for place, line in enumerate(lines) if not line.startswith("--"))
    head = " ".join(lines[:code])

    assert "KEYS" in head or "KEYS" not in "\n".join(lines)
    assert "ARGV" in head or "ARGV" not in "\n".join(lines)
