"""The command that rotates keys, on a real file."""

import time

import pytest

from roomwire.errors import ConfigurationError
from roomwire.identity.tokens import SigningKey
from roomwire_auth.commands.rotate_keys import rotate_keys
from roomwire_auth.keys.keyring import Keyring


@pytest.fixture
def file(tmp_path, monkeypatch):
    file = tmp_path / "signing-key.pem"
    file.write_text(SigningKey.generate().to_pem())
    file.chmod(0o640)
    monkeypatch.setenv("ROOMWIRE_SIGNING_KEY_FILE", str(file))
    return file


def test_a_key_becomes_a_keyring_with_a_next_key_and_the_old_one_goes_on_signing(file, capsys):
    (old,) = Keyring.parse(file.read_text()).published(time.time())

    rotate_keys()

    now = time.time()
    states = list(Keyring.parse(file.read_text()).states(now))
    assert [(old.kid, "signing"), (states[1].key.kid, "next")] == [(one.key.kid, one.state) for one in states]
    assert now + 3500 < states[1].until <= now + 3600
    lines = capsys.readouterr().out.splitlines()
    assert [f"{one.key.kid} {one.state}" for one in states] == [
        line.partition(" until ")[0] for line in lines
    ]


def test_running_it_again_changes_nothing_so_that_a_schedule_may_repeat_it(file):
    rotate_keys()
    before = file.read_text()

    rotate_keys()

    assert before == file.read_text()


def test_the_file_keeps_its_mode_and_nothing_is_left_beside_it(file):
    rotate_keys()

    assert 0o640 == file.stat().st_mode & 0o777
    assert [file] == list(file.parent.iterdir())


def test_the_private_keys_are_not_shown(file, capsys):
    rotate_keys()

    assert "PRIVATE" not in capsys.readouterr().out


def test_without_a_file_it_says_so(monkeypatch):
    monkeypatch.setenv("ROOMWIRE_SIGNING_KEY", SigningKey.generate().to_pem())

    with pytest.raises(ConfigurationError, match="ROOMWIRE_SIGNING_KEY_FILE is not set"):
        rotate_keys()


def test_a_place_where_nothing_can_be_written_is_a_sentence(file, monkeypatch):
    with file.open() as opened:
        # A folder that takes no new files, whoever asks.
        monkeypatch.setenv("ROOMWIRE_SIGNING_KEY_FILE", f"/dev/fd/{opened.fileno()}")

        with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_SIGNING_KEY_FILE: /dev/fd/"):
            rotate_keys()
