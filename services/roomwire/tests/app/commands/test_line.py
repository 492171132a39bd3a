"""The command `roomwire`, in this process: how it is installed, and how it ends."""

import pkgutil
import sys
import tomllib
from pathlib import Path

import pytest

from roomwire.__main__ import main
from roomwire.app import commands
from roomwire.app.commands import line
from roomwire.app.commands.line import COMMANDS, run_command


def test_the_command_is_installed_by_its_name():
    package = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))

    assert {"roomwire": "roomwire.__main__:main"} == package["project"]["scripts"]


def test_without_what_reads_the_line_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "roomwire.app.commands.line", raising=False)
    monkeypatch.setitem(sys.modules, "click", None)

    assert 1 == main()
    assert "roomwire: click is not installed: pip install 'roomwire[service]'\n" == capsys.readouterr().err


def test_without_what_a_command_needs_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["roomwire", "serve"])
    monkeypatch.setattr(line, "import_module", lacking_uvicorn)

    assert 1 == main()
    assert "roomwire: uvicorn is not installed: pip install 'roomwire[service]'\n" == capsys.readouterr().err


def lacking_uvicorn(name):
    raise ModuleNotFoundError(f"No module named 'uvicorn', which {name} imports", name="uvicorn")


def test_a_wrong_option_is_a_wrong_use(capsys):
    assert 2 == run_command(["serve", "--nothing"])
    assert "No such option" in capsys.readouterr().err


def test_help_is_no_failure_and_names_each_command(capsys):
    assert 0 == run_command(["--help"])
    printed = capsys.readouterr().out
    assert all(f"\n  {command} " in printed for command in COMMANDS)


def test_each_module_of_a_command_is_one_of_the_line():
    found = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert found - {"application", "follower", "line", "refusal", "remote", "secret"} == {*COMMANDS}


@pytest.mark.parametrize("name", ["none", "line", "__init__"])
def test_what_is_no_command_is_a_wrong_use(capsys, name):
    assert 2 == run_command([name])
    assert "No such command" in capsys.readouterr().err


def test_serve_without_an_application_says_so_as_in_an_image_that_names_none(monkeypatch, capsys):
    monkeypatch.delenv("ROOMWIRE_APP", raising=False)
    monkeypatch.setenv("ROOMWIRE_REDIS_URL", "memory://")

    assert 1 == run_command(["serve"])
    assert (
        "roomwire: import: no application is given: run roomwire serve MODULE:ATTRIBUTE, or set ROOMWIRE_APP\n"
        == capsys.readouterr().err
    )
