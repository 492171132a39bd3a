"""`roomwire token`: what it refuses by itself; the tokens are tested against a whole system in `deploy/local`."""

import pytest

from roomwire.app.commands.line import run_command

URL = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--name", "Ann", "--username", "ann"], "--name is the name of a guest"),
        (["--password-file", __file__], "--password-file needs --username"),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_use(arguments, sentence, capsys):
    assert 2 == run_command(["token", URL, *arguments])
    assert sentence in capsys.readouterr().err


def test_a_service_that_does_not_answer_is_a_sentence_without_the_password(monkeypatch, capsys):
    monkeypatch.setenv("ROOMWIRE_PASSWORD", "correct horse")

    assert 1 == run_command(["token", URL, "--username", "ann"])
    printed = capsys.readouterr()
    assert "" == printed.out
    assert printed.err.startswith("roomwire: http://127.0.0.1:1/auth/login does not answer: ")
    assert "correct horse" not in printed.err
