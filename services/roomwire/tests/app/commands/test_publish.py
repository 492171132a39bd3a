"""`roomwire publish`: what it refuses by itself; what it publishes is tested against a whole system in `deploy/local`."""

import pytest

from roomwire.app.commands.line import run_command

URL = "http://127.0.0.1:1"
SECRET = "s" * 40


@pytest.fixture(autouse=True)
def _no_token_of_the_machine(monkeypatch):
    monkeypatch.delenv("ROOMWIRE_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["price"], "give one of --room, --user and --everyone"),
        (["price", "--room", "den", "--everyone"], "give one of --room, --user and --everyone"),
        (["price", "tea", "--room", "den"], "tea is not JSON"),
        (["price", "--user", "ann", "--except-room", "den"], "Leave out --except-room"),
        (["price", "--everyone", "--keeps-history"], "Leave out --keeps-history"),
        (["price", "--user", "ann", "--keeps-history"], "Leave out --keeps-history"),
    ],
)
def test_a_wrong_use_is_a_sentence_and_status_2(arguments, sentence, capsys):
    assert 2 == run_command(["publish", URL, *arguments, "--token", SECRET])
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("url", ["127.0.0.1:8010", "ftp://127.0.0.1", "http://", "http://a:b", "gateway"])
def test_what_is_no_url_is_a_wrong_use(url, capsys):
    assert 2 == run_command(["publish", url, "price", "--everyone"])
    assert "write a URL such as http://localhost:3000" in capsys.readouterr().err


def test_without_a_token_it_says_where_one_is_looked_for(capsys):
    assert 1 == run_command(["publish", URL, "price", "--everyone"])
    assert (
        "roomwire: the API needs a token or a key: set ROOMWIRE_TOKEN, or give --token-file\n"
        == capsys.readouterr().err
    )


@pytest.mark.parametrize("token", [f"{SECRET} more", f"{SECRET}\x00", f"{SECRET}é"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_printed(token, capsys, tmp_path):
    file = tmp_path / "token"
    file.write_text(token, encoding="utf-8")

    assert 1 == run_command(["publish", URL, "price", "--everyone", "--token-file", str(file)])
    printed = capsys.readouterr()
    assert "the token contains invalid characters" in printed.err
    assert SECRET not in printed.out + printed.err


def test_an_api_that_does_not_answer_is_a_sentence_without_the_secrets(capsys, monkeypatch):
    monkeypatch.setenv("ROOMWIRE_TOKEN", SECRET)

    assert 1 == run_command(["publish", "http://ann:hidden@127.0.0.1:1", "price", "--everyone"])
    error = capsys.readouterr().err
    assert error.startswith("roomwire: http://127.0.0.1:1/api/v1/publish does not answer: ")
    assert 1 == error.count("\n")
    assert SECRET not in error
    assert "hidden" not in error
