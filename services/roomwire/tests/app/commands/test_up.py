"""`roomwire up`: what it says before it starts anything; the system itself is tested in `deploy/local`."""

import importlib.util

import pytest

from roomwire.app.commands.line import run_command


def test_without_the_local_system_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("roomwire.app.commands.up.find_spec", lambda name: None)

    assert 1 == run_command(["up", "board:app"])
    assert (
        "roomwire: the local system is not installed: pip install 'roomwire[local]'\n"
        == capsys.readouterr().err
    )
    assert importlib.util.find_spec("roomwire_local") is not None


def test_without_an_application_it_says_so(monkeypatch, capsys):
    monkeypatch.delenv("ROOMWIRE_APP", raising=False)

    assert 1 == run_command(["up"])
    assert (
        "roomwire: import: no application is given: run roomwire up MODULE:ATTRIBUTE"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("wrong", ["--port=0", "--port=x", "--gateways=0", "--gateways=33"])
def test_a_wrong_number_is_a_wrong_use(wrong, capsys):
    assert 2 == run_command(["up", "board:app", wrong])
    assert "Invalid value" in capsys.readouterr().err
