"""The first change that CONTRIBUTING.md walks through: its test fails, its handler makes it pass, and the other checks say what is missing."""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from documents import ROOT

# It starts pytest three times, on a machine that may be slow.
pytestmark = pytest.mark.timeout(600)


def first_change():
    """Return the test and the handler of the first change."""
    section = (
        (ROOT / "CONTRIBUTING.md")
        .read_text(encoding="utf-8")
        .partition("## A first change")[2]
        .partition("\n## ")[0]
    )
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in blocks]


def test_the_first_change_is_one_that_the_tree_does_not_have_yet():
    test, handler = first_change()
    gateway = ROOT / "services" / "gateway"

    for code, path in ((test, "tests/test_chat.py"), (handler, "src/roomwire_gateway/chat.py")):
        assert "wave" in code
        assert "wave" not in (gateway / path).read_text(encoding="utf-8")


@pytest.fixture
def checkout(tmp_path, starts_servers):
    """Return a copy of this checkout in which the chat, its tests and the tests of documents can be changed."""
    copied = ("conftest.py", "pyproject.toml", "docs", "tests", "services/gateway", "deploy/docs")
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info")
    for name in copied:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    for folder in (ROOT, ROOT / "services", ROOT / "deploy"):
        for path in folder.iterdir():
            place = tmp_path / path.relative_to(ROOT)
            if not place.exists() and (path.name in {".ci", ".github"} or not path.name.startswith(".")):
                place.symlink_to(path)
    return tmp_path


def outcome_of_tests(checkout, *arguments):
    """Run tests of a checkout with its own chat; returns how many failed, how many passed, and the output."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout / "services/gateway/src")},
        capture_output=True,
        text=True,
        check=False,
    )
    counts = {outcome: int(number) for number, outcome in re.findall(r"(\d+) (failed|passed)", done.stdout)}
    return counts.get("failed", 0), counts.get("passed", 0), done.stdout + done.stderr


def test_the_first_change_works_as_it_stands(checkout):
    test, handler = first_change()
    gateway = checkout / "services" / "gateway"
    waves = ("services/gateway/tests/test_chat.py", "-k", "wave")
    with (gateway / "tests/test_chat.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{test}")

    failed, passed, output = outcome_of_tests(checkout, *waves)
    assert (True, 0) == (failed > 0, passed), output

    chat = gateway / "src/roomwire_gateway/chat.py"
    before, typing, after = chat.read_text(encoding="utf-8").partition('    @subscribe("typing")\n')
    chat.write_text(f"{before}{textwrap.indent(handler, '    ')}\n{typing}{after}", encoding="utf-8")

    failed, passed, output = outcome_of_tests(checkout, *waves)
    # On the memory log, and on Redis.
    assert (0, 2) == (failed, passed), output
    _, _, output = outcome_of_tests(checkout, *named_in_the_fifth_step())
    assert {
        "test_every_event_of_the_chat_is_asked_about",
        "test_the_chats_events_are_those_that_it_handles",
        "test_everything_that_the_code_has_can_be_sent_and_nothing_else",
    } <= {*re.findall(r"^FAILED \S+::(\w+)", output, re.MULTILINE)}, output


def named_in_the_fifth_step():
    """Return the files of tests that the page says will fail."""
    step = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n5. ")[2].partition("\n6. ")[0]
    return re.search(r"`\.venv/bin/pytest ([^`]+)`", step)[1].split()
