"""What the service can be told, and what it refuses."""

import pytest

from roomwire.errors import ConfigurationError
from roomwire_auth.settings import Settings


def test_the_defaults_are_those_of_the_design():
    settings = Settings.load()

    assert (8001, 9001) == (settings.port, settings.ops_port)
    assert (600, 30 * 86_400, 86_400) == (settings.access_ttl_s, settings.refresh_ttl_s, settings.guest_ttl_s)
    assert settings.refresh_grace_s == 10
    assert settings.guests


def test_the_hash_is_what_owasp_advises_by_default():
    settings = Settings.load()

    argon2 = (settings.argon2_memory_kib, settings.argon2_time_cost, settings.argon2_parallelism)
    assert (19_456, 2, 1) == argon2


def test_memory_is_refused_because_accounts_need_redis(monkeypatch):
    monkeypatch.setenv("ROOMWIRE_REDIS_URL", "memory://")

    with pytest.raises(ConfigurationError) as caught:
        Settings.load()

    expected = "ROOMWIRE_REDIS_URL: accounts need Redis or Valkey: memory:// works for a single gateway only"
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ACCESS_TTL_S", "29"),
        ("ACCESS_TTL_S", "86401"),
        ("KEY_LEAD_S", "899"),
        ("REFRESH_TTL_S", "59"),
        ("GUEST_TTL_S", "0"),
        ("REFRESH_GRACE_S", "-1"),
        ("REFRESH_GRACE_S", "61"),
        ("THROTTLE_WINDOW_S", "0"),
        ("THROTTLE_WINDOW_S", "86401"),
        ("MAX_LOGIN_FAILURES", "-1"),
        ("MAX_LOGIN_FAILURES_PER_ADDRESS", "-1"),
        ("MAX_REGISTRATIONS_PER_ADDRESS", "-1"),
        ("MAX_GUESTS_PER_ADDRESS", "1000001"),
        ("MAX_REFRESH_FAILURES_PER_ADDRESS", "-1"),
        ("KNOWN_ADDRESS_TTL_S", "0"),
        ("PASSWORD_HASHERS", "0"),
        ("PASSWORD_HASHERS", "65"),
        ("PASSWORD_QUEUE", "-1"),
        ("ARGON2_TIME_COST", "0"),
        ("ARGON2_MEMORY_KIB", "7167"),
        ("ARGON2_MEMORY_KIB", "1048577"),
        ("ARGON2_PARALLELISM", "0"),
    ],
)
def test_numbers_have_bounds(monkeypatch, variable, value):
    monkeypatch.setenv(f"ROOMWIRE_{variable}", value)

    with pytest.raises(ConfigurationError, match=f"^ROOMWIRE_{variable}: "):
        Settings.load()


def test_the_signing_key_is_read_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "key.pem").write_text("the key\n")
    monkeypatch.setenv("ROOMWIRE_SIGNING_KEY_FILE", str(tmp_path / "key.pem"))

    assert Settings.load().signing_key.get_secret_value() == "the key"


def test_the_signing_key_is_never_shown(monkeypatch):
    monkeypatch.setenv("ROOMWIRE_SIGNING_KEY", "the key")
    settings = Settings.load()

    assert dict(settings.effective())["ROOMWIRE_SIGNING_KEY"] == "********"
    assert "the key" not in repr(settings)
