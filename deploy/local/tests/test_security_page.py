"""SECURITY.md names tests: they exist."""

import re
from pathlib import Path

TOP = Path(__file__).parents[3]


def test_every_test_that_the_security_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", (TOP / "SECURITY.md").read_text("utf-8")))
    assert len(named) > 30
    written = {
        name
        for folder in ("services", "deploy", "loadtest")
        for path in (TOP / folder).rglob("test_*.py")
        if "node_modules" not in path.parts
        for name in re.findall(r"def (test_\w+)\(", path.read_text("utf-8"))
    }
    assert set() == named - written
