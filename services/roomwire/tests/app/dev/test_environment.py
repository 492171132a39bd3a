import pytest

from roomwire.app.dev.environment import has_own_keys, of_process, of_settings
from roomwire.app.settings import GatewaySettings


def test_without_settings_messages_are_in_memory_and_nothing_waits():
    assert {
        "ROOMWIRE_HOST": "localhost",
        "ROOMWIRE_REDIS_URL": "memory://",
        "ROOMWIRE_NODE_NAME": "dev",
        "ROOMWIRE_OPS_PORT": "0",
        "ROOMWIRE_DRAIN_S": "0",
    } == of_settings({})


def test_what_is_set_stays_but_for_the_address():
    given = {"ROOMWIRE_HOST": "0.0.0.0", "ROOMWIRE_DRAIN_S": "2", "HOME": "/home/ann"}
    settings = of_settings(given)

    assert ("localhost", "2", "/home/ann") == (
        settings["ROOMWIRE_HOST"],
        settings["ROOMWIRE_DRAIN_S"],
        settings["HOME"],
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", None),
        ("https://board.example", "https://board.example"),
        ("*", "*"),
    ],
)
def test_pages_of_the_application_and_of_the_console_may_call_it_beside_those_that_are_named(
    given, expected, monkeypatch
):
    environ = of_process(
        of_settings({"ROOMWIRE_CORS_ORIGINS": given}), port=8000, console_port=8800, keys_url=""
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    origins = GatewaySettings.load().cors_origins

    if given == "*":
        assert ("*",) == origins
    else:
        own = {
            f"http://{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]") for port in (8000, 8800)
        }
        assert own | {expected} - {None} == {*origins}


def test_keys_are_the_consoles_unless_the_settings_name_an_issuer():
    consoles = of_process({}, port=1, console_port=2, keys_url="http://127.0.0.1:2/keys")
    named = of_process(
        {"ROOMWIRE_AUTH_JWKS_URL": "http://127.0.0.1:9/keys"}, port=1, console_port=2, keys_url=""
    )

    assert "http://127.0.0.1:2/keys" == consoles["ROOMWIRE_AUTH_JWKS_URL"]
    assert "http://127.0.0.1:9/keys" == named["ROOMWIRE_AUTH_JWKS_URL"]
    assert not has_own_keys({"ROOMWIRE_AUTH_JWKS_URL": ""})
    assert has_own_keys({"ROOMWIRE_AUTH_JWKS_URL": "http://127.0.0.1:9/keys"})
    assert has_own_keys({"ROOMWIRE_AUTH_DISCOVERY_URL": "https://issuer.example"})
