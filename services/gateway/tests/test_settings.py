"""The gateway's own settings."""

import os

import pytest

from gateway.settings import Settings
from roomwire.errors import ConfigurationError


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

    assert ("127.0.0.1", 8000, 9000, "required", True) == (
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
        ("PING_INTERVAL_S", "0"),
        ("PING_TIMEOUT_S", "301"),
        ("PAGE", "perhaps"),
        ("PORT", "65536"),
        ("OPS_PORT", "-1"),
        ("TRANSPORTS", ","),
        ("TRANSPORTS", "polling,carrier-pigeon"),
    ],
)
def test_a_wrong_value_is_a_sentence_that_names_its_variable(load, name, value):
    with pytest.raises(ConfigurationError) as raised:
        load(**{name: value})

    assert str(raised.value).startswith(f"ROOMWIRE_{name}: ")
    assert repr(value) in str(raised.value) or name == "TRANSPORTS"


@pytest.mark.parametrize(("value", "page"), [("false", False), ("0", False), ("true", True), ("on", True)])
def test_the_page_is_switched_by_a_word(load, value, page):
    assert page is load(PAGE=value).page


def test_every_setting_is_listed_with_a_description():
    rows = list(Settings.listing())

    assert "ROOMWIRE_AUTH_MODE" in {row.variable for row in rows}
    assert all(row.description for row in rows)
