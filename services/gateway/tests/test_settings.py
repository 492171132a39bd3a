"""The gateway's own settings."""

import os

import msgspec
import pytest

from roomwire.app.options import Emitters, emitters
from roomwire.errors import ConfigurationError
from roomwire_gateway.settings import Settings


@pytest.fixture
def load(monkeypatch):
    for variable in list(os.environ):
        if variable.startswith("ROOMWIRE_"):
            monkeypatch.delenv(variable)

    def with_environment(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"ROOMWIRE_{name}", value)
        return Settings.load()

    return with_environment


def test_without_an_environment_a_gateway_listens_here_and_wants_tokens(load):
    settings = load()

    assert ("localhost", 8000, 9000, "required", True) == (
        settings.host,
        settings.port,
        settings.ops_port,
        settings.auth_mode,
        settings.page,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_MODE", "maybe"),
        ("AUTH_JWKS_URL", "file:///etc/passwd"),
        ("AUTH_JWKS_URL", "auth/jwks.json"),
        ("AUTH_DISCOVERY_URL", "http://id.example.org/.well-known/openid-configuration"),
        ("AUTH_DISCOVERY_URL", "id.example.org"),
        ("AUTH_FETCH_TIMEOUT_S", "0"),
        ("PING_INTERVAL_S", "0"),
        ("PING_TIMEOUT_S", "301"),
        ("PAGE", "perhaps"),
        ("PORT", "65536"),
        ("OPS_PORT", "-1"),
        ("NODEJS_EMITTERS", "yes"),
        ("NODEJS_EMITTERS_KEY", "socket.*"),
        ("NODEJS_EMITTERS_STREAM", "a b"),
    ],
)
def test_a_wrong_value_is_a_sentence_that_names_its_variable(load, name, value):
    with pytest.raises(ConfigurationError) as raised:
        load(**{name: value})

    assert str(raised.value).startswith(f"ROOMWIRE_{name}: ")
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(("value", "page"), [("false", False), ("0", False), ("true", True), ("on", True)])
def test_the_page_is_switched_by_a_word(load, value, page):
    assert page is load(PAGE=value).page


@pytest.mark.parametrize("value", [",", "polling,carrier-pigeon"])
def test_a_transport_that_there_is_not_is_refused(load, value):
    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_TRANSPORTS: use polling, websocket, or both"):
        load(TRANSPORTS=value)


@pytest.mark.parametrize("value", ["HS256", "none", "EdDSA,HS256", "eddsa", "RS1", ","])
def test_an_algorithm_by_which_nothing_may_be_signed_is_refused(load, value):
    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_AUTH_ALGORITHMS: use one or more of EdDSA, "):
        load(AUTH_ALGORITHMS=value)


def test_without_any_type_no_token_would_hold(load):
    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_AUTH_TOKEN_TYPES: name at least one type"):
        load(AUTH_TOKEN_TYPES=",")


def test_by_default_claims_are_read_as_our_own_auth_service_writes_them(load):
    settings = load()

    assert (("EdDSA",), ("at+jwt",)) == (settings.auth_algorithms, settings.auth_token_types)
    assert ("sub", "name", "sid", "") == tuple(msgspec.structs.astuple(settings.auth_claim_names))


def test_claims_of_another_provider_are_read_as_set(load):
    names = load(
        AUTH_CLAIM_USER="oid", AUTH_CLAIM_NAME="n", AUTH_CLAIM_SESSION="s", AUTH_CLAIM_ROLES="/a/roles"
    ).auth_claim_names

    assert ("oid", "n", "s", "/a/roles") == tuple(msgspec.structs.astuple(names))


def test_every_setting_is_listed_with_a_description():
    rows = list(Settings.listing())

    assert "ROOMWIRE_AUTH_MODE" in {row.variable for row in rows}
    assert all(row.description for row in rows)


SECRET = "0123456789abcdef0123456789abcdef"


def test_without_a_port_there_is_no_relay(load):
    assert "" == load(HOST="0.0.0.0").relay_address


@pytest.mark.parametrize(
    ("host", "relay_host", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1:7000"),
        ("0.0.0.0", "192.0.2.7", "192.0.2.7:7000"),
        ("::", "2001:db8::7", "[2001:db8::7]:7000"),
    ],
)
def test_other_gateways_are_told_where_the_relay_port_is(load, host, relay_host, address):
    settings = load(HOST=host, RELAY_HOST=relay_host, RELAY_PORT="7000", RELAY_SECRET=SECRET)

    assert address == settings.relay_address


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_means_any_is_not_told_to_other_gateways(load, host):
    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_RELAY_HOST: set the address"):
        load(HOST=host, RELAY_PORT="7000", RELAY_SECRET=SECRET)


@pytest.mark.parametrize("secret", ["", SECRET[1:]])
def test_a_relay_needs_a_secret_that_is_not_short(load, secret):
    with pytest.raises(ConfigurationError) as raised:
        load(RELAY_PORT="7000", RELAY_SECRET=secret)

    assert "ROOMWIRE_RELAY_SECRET: the relay needs a secret of at least 32 characters" == str(raised.value)


def test_the_relays_secret_is_read_from_a_file_and_shown_to_nobody(load, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    settings = load(RELAY_PORT="7000", RELAY_SECRET_FILE=str(file))

    assert SECRET == settings.relay_secret.get_secret_value()
    assert "********" == dict(settings.effective())["ROOMWIRE_RELAY_SECRET"]


# -- Node's emitters


def test_nothing_of_node_s_emitters_is_heard_unless_it_is_said(load):
    assert emitters(load()) is None


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("pubsub", Emitters("redis://a:1/0", "shop", "")),
        ("streams", Emitters("redis://a:1/0", "", "orders")),
        ("both", Emitters("redis://a:1/0", "shop", "orders")),
    ],
)
def test_what_is_heard_of_node_s_emitters_has_the_names_of_their_options(load, which, expected):
    names = {"NODEJS_EMITTERS_KEY": "shop", "NODEJS_EMITTERS_STREAM": "orders"}

    assert expected == emitters(load(REDIS_URL="redis://a:1/0", NODEJS_EMITTERS=which, **names))


def test_the_emitters_may_have_another_redis_whose_password_is_not_shown(load):
    settings = load(NODEJS_EMITTERS="both", NODEJS_EMITTERS_REDIS_URL="redis://:s3cret@shop:1/0")

    assert "redis://:s3cret@shop:1/0" == emitters(settings).url
    assert not any("s3cret" in line for line in settings.lines())


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"REDIS_URL": "memory://"}, "ROOMWIRE_REDIS_URL"),
        ({"MESSAGE_ID_TTL_S": "59"}, "ROOMWIRE_MESSAGE_ID_TTL_S"),
        ({"NODEJS_EMITTERS_REDIS_URL": "http://shop"}, "ROOMWIRE_NODEJS_EMITTERS_REDIS_URL"),
    ],
)
def test_emitters_that_could_not_be_heard_are_a_sentence_that_names_the_variable(load, variables, named):
    with pytest.raises(ConfigurationError, match=named):
        emitters(load(**{"NODEJS_EMITTERS": "streams", **variables}))
