"""The command `roomwire`, in this process: how it is installed, and how it ends."""

import sys
import tomllib
from pathlib import Path

from roomwire.__main__ import main
from roomwire.app.commands.line import run_command


def test_the_command_is_installed_by_its_name():
    package = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))

    assert {"roomwire": "roomwire.__main__:main"} == package["project"]["scripts"]


def test_without_what_serves_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "roomwire.app.commands.line", raising=False)
    monkeypatch.setitem(sys.modules, "click", None)

    assert 1 == main()
    assert "roomwire: click is not installed: pip install 'roomwire[service]'\n" == capsys.readouterr().err


def test_a_wrong_option_is_a_wrong_use(capsys):
    assert 2 == run_command(["serve", "--nothing"])
    assert "No such option" in capsys.readouterr().err


def test_help_is_no_failure(capsys):
    assert 0 == run_command(["--help"])
    assert "serve" in capsys.readouterr().out


def test_serve_without_an_application_says_so_as_in_an_image_that_names_none(monkeypatch, capsys):
    monkeypatch.delenv("ROOMWIRE_APP", raising=False)
    monkeypatch.setenv("ROOMWIRE_REDIS_URL", "memory://")

    assert 1 == run_command(["serve"])
    assert (
        "roomwire: import: no application is given: run roomwire serve MODULE:ATTRIBUTE, or set ROOMWIRE_APP\n"
        == capsys.readouterr().err
    )
