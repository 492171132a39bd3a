"""The auth service's settings: the only place that names its environment variables."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from roomwire.serving.settings import ServiceSettings
from roomwire_auth.keys.keyring import MAX_ACCESS_TTL_S
from roomwire_auth.sessions.sessions import MAX_SESSIONS

_DAY_S = 86_400
_MAX_COUNT = 1_000_000


class Settings(ServiceSettings):
    """The auth service's settings, in addition to those of every service."""

    port: int = Field(
        8001, description="Public port for the API under /auth. `0` lets the system choose.", ge=0, le=65535
    )
    ops_port: int = Field(
        9001,
        description="Operations port, which serves /livez, /readyz and /metrics. `0` lets the system choose.",
        ge=0,
        le=65535,
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Private key that signs access tokens, from `python -m roomwire_auth new-key`, or a keyring from "
        "`rotate-keys`. Required. Its file is read again when it changes.",
    )
    key_lead_s: int = Field(
        3600,
        description="Time for which `rotate-keys` publishes a new key before the key signs.",
        ge=900,
        le=30 * _DAY_S,
    )
    clients_file: Path | None = Field(
        None,
        description="File of the backends that may obtain tokens, from `python -m roomwire_auth new-client`, docs/tokens.md. "
        "It is read again when it changes. Default: none.",
    )
    guests: bool = Field(default=True, description="Whether guests may sign in without an account.")
    access_ttl_s: int = Field(600, description="Lifetime of an access token.", ge=30, le=MAX_ACCESS_TTL_S)
    refresh_ttl_s: int = Field(
        30 * _DAY_S, description="Lifetime of an account's refresh token.", ge=60, le=366 * _DAY_S
    )
    guest_ttl_s: int = Field(
        _DAY_S, description="Lifetime of a guest's refresh token.", ge=60, le=366 * _DAY_S
    )
    max_sessions: int = Field(
        MAX_SESSIONS,
        description="Maximum number of sessions of one user; a further session ends the one that was refreshed least recently.",
        ge=1,
        le=1000,
    )
    refresh_grace_s: int = Field(
        10,
        description="Time in which a used refresh token returns the same successor again, in case the first answer was lost. "
        "`0` disables the grace period.",
        ge=0,
        le=60,
    )
    throttle: bool = Field(
        default=True,
        description="Whether addresses with too many attempts must wait. Needs client addresses: ROOMWIRE_TRUSTED_PROXIES.",
    )
    max_guests: int = Field(
        100_000,
        description="Maximum number of guests who are signed in at the same time; further ones are refused with `unavailable`. `0` "
        "disables the limit.",
        ge=0,
        le=100_000_000,
    )
    redis_guests_mark: float = Field(
        0.7,
        description="Used part of Redis' `maxmemory` from which no new guests are admitted; `1` disables the limit. As for gateways.",
        gt=0,
        le=1,
    )
    max_guests_per_minute: int = Field(
        3_000,
        description="Maximum guest sign-ins a minute, from all addresses together. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_registrations_per_minute: int = Field(
        300,
        description="Maximum registrations a minute, from all addresses together. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_password_checks_per_minute: int = Field(
        60,
        description="Maximum sign-ins and changes of one account a minute from one address, successful ones included: each checks "
        "a password, which takes tens of milliseconds of CPU. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    guest_first_ttl_s: int = Field(
        1_800,
        description="Lifetime of a guest's refresh token until its first use. A guest who uses it is kept for ROOMWIRE_GUEST_TTL_S.",
        ge=60,
        le=366 * _DAY_S,
    )
    longest_login_delay_s: int = Field(
        30,
        description="Longest time for which an account's password cannot be tried after wrong passwords from anywhere. Each further "
        "one doubles the time. It is used only without ROOMWIRE_THROTTLE. `0` disables the delay.",
        ge=0,
        le=3_600,
    )
    throttle_window_s: int = Field(
        900,
        description="Period over which the attempts of an address are counted, from the first attempt.",
        ge=1,
        le=_DAY_S,
    )
    max_login_failures: int = Field(
        10,
        description="Maximum failed sign-ins for one account or client from one address per ROOMWIRE_THROTTLE_WINDOW_S. `0` "
        "disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_login_failures_per_address: int = Field(
        100,
        description="Maximum failed sign-ins from one address per window, for all accounts together; accounts that signed in "
        "from it before are exempt. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_registrations_per_address: int = Field(
        100,
        description="Maximum registrations from one address per window. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_guests_per_address: int = Field(
        1000,
        description="Maximum guests from one address per window. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_refresh_failures_per_address: int = Field(
        100,
        description="Maximum invalid refresh tokens from one address per window. `0` disables the limit.",
        ge=0,
        le=_MAX_COUNT,
    )
    known_address_ttl_s: int = Field(
        30 * _DAY_S,
        description="Time after a sign-in in which the account is exempt from the failures of others at the same address.",
        ge=1,
        le=366 * _DAY_S,
    )
    password_hashers: int = Field(
        2, description="Maximum number of passwords hashed concurrently.", ge=1, le=64
    )
    password_queue: int = Field(
        32,
        description="Maximum number of sign-ins that wait for a hasher; further ones are refused. `0` refuses every sign-in "
        "that would wait.",
        ge=0,
        le=10_000,
    )
    argon2_time_cost: int = Field(2, description="Argon2 passes over the memory for one hash.", ge=1, le=64)
    argon2_memory_kib: int = Field(
        19_456, description="Argon2 memory for one hash; each hasher uses as much.", ge=7_168, le=1_048_576
    )
    argon2_parallelism: int = Field(1, description="Argon2 threads for one hash.", ge=1, le=16)
    docs: bool = Field(default=True, description="Whether the API page is served at /auth/docs.")

    @field_validator("redis_url")
    @classmethod
    def _refuse_memory(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("memory:"):
            raise ValueError("accounts need Redis or Valkey: memory:// works for a single gateway only")
        return value
