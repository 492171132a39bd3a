"""The keys in force follow their file."""

import pytest

from roomwire.identity.tokens import SigningKey
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.keys.keys import Keys
from roomwire_auth.reread import REREAD_S

OLD = SigningKey.generate()
NEW = SigningKey.generate()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "keys"
    file.write_text(OLD.to_pem())
    return file


@pytest.fixture
def keys(file, clock):
    return Keys(Keyring.parse(file.read_text()), file=file, clock=clock)


def test_a_changed_file_is_read_again_but_not_at_every_request(keys, file, clock):
    file.write_text(NEW.to_pem())
    clock.now += REREAD_S - 0.1
    assert OLD.kid == keys.signing().kid

    clock.now += 0.1

    assert NEW.kid == keys.signing().kid
    assert [NEW.kid] == [key.kid for key in keys.published()]


def test_a_clock_that_is_set_back_does_not_keep_the_file_from_being_read(keys, file, clock):
    file.write_text(NEW.to_pem())

    clock.now -= 1

    assert NEW.kid == keys.signing().kid


def test_a_key_begins_to_sign_at_its_time_without_a_change_of_the_file(file, clock):
    keys = Keys(Keyring([(0, OLD), (2000, NEW)]), clock=clock)
    assert OLD.kid == keys.signing().kid

    clock.now = 2000.0

    assert NEW.kid == keys.signing().kid
    assert [OLD.kid, NEW.kid] == [key.kid for key in keys.published()]


@pytest.mark.parametrize(
    "content", [None, b"{", b"\xff", b""], ids=["none", "no keyring", "no text", "empty"]
)
def test_a_file_that_is_no_keyring_is_logged_and_the_known_keys_go_on(keys, file, clock, log_events, content):
    file.unlink() if content is None else file.write_bytes(content)
    clock.now += REREAD_S

    assert OLD.kid == keys.signing().kid
    assert ["dependency down", "signing keys not read"] == [event["event"] for event in log_events]

    file.write_text(NEW.to_pem())
    clock.now += REREAD_S
    assert NEW.kid == keys.signing().kid
    assert "dependency up" in [event["event"] for event in log_events]


def test_a_new_keyring_is_logged_by_its_key_ids_alone(keys, file, clock, log_events):
    clock.now += REREAD_S
    keys.signing()
    file.write_text(NEW.to_pem())
    clock.now += REREAD_S
    keys.signing()

    expected = {"event": "signing keys read", "audit": True, "kids": [NEW.kid], "log_level": "info"}
    assert [expected] == log_events


def test_keys_that_changed_before_they_were_first_looked_at_are_logged_too(keys, file, clock, log_events):
    file.write_text(NEW.to_pem())
    clock.now += REREAD_S
    keys.signing()

    assert ["signing keys read"] == [event["event"] for event in log_events]


async def test_a_public_key_is_found_by_its_id_while_it_is_published(keys):
    assert OLD.public_key() == await keys.key(OLD.kid)
    assert await keys.key(NEW.kid) is None
