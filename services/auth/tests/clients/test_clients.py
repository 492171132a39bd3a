"""The file of clients: who stands in it, and what is wrong with one."""

import pytest

from roomwire.errors import ConfigurationError
from roomwire.identity.capabilities import load_policy
from roomwire_auth.clients.clients import Clients, new_secret, secret_digest
from roomwire_auth.reread import REREAD_S

POLICY = load_policy()
OLD, NEW = new_secret(), new_secret()


def entry(name="reports", *secrets, role="service"):
    digests = ", ".join(f'"{secret_digest(secret)}"' for secret in secrets or (OLD,))
    return f'[clients."{name}"]\nrole = "{role}"\nsecret_sha256 = [{digests}]\n'


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "clients.toml"
    file.write_text(entry())
    return file


def test_a_client_is_found_by_its_id_and_its_secret_with_what_its_role_may_do(file):
    client = Clients(file, POLICY).find("reports", OLD)

    assert ("reports", "service") == (client.id, client.role)
    assert POLICY.of_role("service") == client.capabilities


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("reports", NEW),
        ("reports", ""),
        ("reports", secret_digest(OLD)),
        ("Reports", OLD),
        ("billing", OLD),
        ("", ""),
        ("reports", "ä"),
    ],
    ids=[
        "another's secret",
        "no secret",
        "the digest",
        "another case",
        "another client",
        "neither",
        "no ascii",
    ],
)
def test_nobody_else_is_found(file, client_id, secret):
    assert Clients(file, POLICY).find(client_id, secret) is None


def test_without_a_file_there_are_no_clients():
    clients = Clients(None, POLICY)

    assert clients.find("reports", OLD) is None
    assert not clients.knows("reports")


def test_an_empty_file_has_no_clients(file):
    file.write_text("")

    assert Clients(file, POLICY).find("reports", OLD) is None


def test_while_a_secret_is_replaced_both_hold(file):
    file.write_text(entry("reports", OLD, NEW))
    clients = Clients(file, POLICY)

    assert ["reports", "reports"] == [clients.find("reports", secret).id for secret in (OLD, NEW)]


def test_an_entry_without_a_role_is_a_service(file):
    file.write_text(entry().replace('role = "service"\n', ""))

    assert "service" == Clients(file, POLICY).find("reports", OLD).role


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[clients", "this is not a file of clients", id="no TOML"),
        pytest.param("x = 1", "unknown field `x`", id="an unknown field"),
        pytest.param(entry() + "secret = 1", "unknown field `secret`", id="an unknown field of a client"),
        pytest.param(entry(role="boss"), "the policy has no role 'boss'", id="no such role"),
        pytest.param(entry("no name!"), "a client's name has 1 to 64 letters", id="no name"),
        pytest.param(entry("x" * 65), "a client's name has 1 to 64 letters", id="a long name"),
        pytest.param('[clients.reports]\nrole = "service"', "missing required field", id="no secret"),
        pytest.param("[clients.reports]\nsecret_sha256 = []", "length >= 1", id="an empty list of secrets"),
        pytest.param(entry("reports", *"abcde"), "length <= 4", id="very many secrets"),
        pytest.param('[clients.reports]\nsecret_sha256 = ["s3cret"]', "matching regex", id="no digest"),
        pytest.param(entry() * 2, "this is not a file of clients", id="a client twice"),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence_that_names_the_setting_and_no_secret(file, text, sentence):
    file.write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        Clients(file, POLICY)

    assert str(caught.value).startswith("ROOMWIRE_CLIENTS_FILE: ")
    assert sentence in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff"], ids=["no file", "no text"])
def test_a_file_that_cannot_be_read_is_a_sentence(file, content):
    file.unlink() if content is None else file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_CLIENTS_FILE: .*clients\.toml: "):
        Clients(file, POLICY)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_changed_file_is_read_again_and_logged_without_secrets(file, clock, log_events):
    clients = Clients(file, POLICY, clock=clock)
    file.write_text(entry("billing", NEW))
    clock.now += REREAD_S

    assert clients.find("reports", OLD) is None
    assert "billing" == clients.find("billing", NEW).id
    expected = {"event": "clients read", "audit": True, "clients": ["billing"], "log_level": "info"}
    assert [expected] == log_events


def test_a_secret_that_is_replaced_is_logged_too(file, clock, log_events):
    clients = Clients(file, POLICY, clock=clock)
    file.write_text(entry("reports", NEW))
    clock.now += REREAD_S

    assert clients.find("reports", OLD) is None
    assert ["clients read"] == [event["event"] for event in log_events]


def test_a_changed_file_with_a_mistake_is_logged_and_the_known_clients_go_on(file, clock, log_events):
    clients = Clients(file, POLICY, clock=clock)
    file.write_text("[clients")
    clock.now += REREAD_S

    assert "reports" == clients.find("reports", OLD).id
    assert ("clients not read", "error") == (log_events[-1]["event"], log_events[-1]["log_level"])


def test_the_secrets_digests_are_not_in_the_repr_of_a_client(file):
    assert secret_digest(OLD) not in repr(Clients(file, POLICY).find("reports", OLD))


def test_a_secret_is_256_random_bits():
    assert 43 == len(OLD)
    assert OLD != NEW
