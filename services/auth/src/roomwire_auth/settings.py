"""The auth service's settings: the only place that names its environment variables."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from roomwire.serving.settings import ServiceSettings
from roomwire_auth.keys.keyring import MAX_ACCESS_TTL_S
from roomwire_auth.sessions.sessions import MAX_SESSIONS

_DAY_S = 86_400
_MAX_COUNT = 1_000_000


class Settings(ServiceSettings):
    """What the auth service can be told, beside what every service can."""

    port: int = Field(8001, description="Public port: the API under /auth.", ge=0, le=65535)
    ops_port: int = Field(9001, description="Operations port: /livez, /readyz, /metrics.", ge=0, le=65535)
    signing_key: SecretStr | None = Field(
        None,
        description="Private key of access tokens, from `python -m roomwire_auth new-key`, or a keyring, from `rotate-keys`."
        " Required. Its file is read again when it changes.",
    )
    key_lead_s: int = Field(
        3600,
        description="How long `rotate-keys` has a new key published before it signs.",
        ge=900,
        le=30 * _DAY_S,
    )
    clients_file: Path | None = Field(
        None,
        description="Backends that get tokens of their own, from `python -m roomwire_auth new-client`, docs/tokens.md; read again"
        " when it changes. Default: none.",
    )
    guests: bool = Field(default=True, description="Whether one can come in as a guest, without an account.")
    access_ttl_s: int = Field(
        600, description="How long an access token is valid.", ge=30, le=MAX_ACCESS_TTL_S
    )
    refresh_ttl_s: int = Field(
        30 * _DAY_S, description="How long an account's refresh token is valid.", ge=60, le=366 * _DAY_S
    )
    guest_ttl_s: int = Field(
        _DAY_S, description="How long a guest's refresh token is valid.", ge=60, le=366 * _DAY_S
    )
    max_sessions: int = Field(
        MAX_SESSIONS,
        description="Most sessions of one user; one more ends the one that was not refreshed for longest.",
        ge=1,
        le=1000,
    )
    refresh_grace_s: int = Field(
        10,
        description="How long a used refresh token gets the same next one again, after a lost answer; 0: never.",
        ge=0,
        le=60,
    )
    throttle: bool = Field(
        default=True,
        description="Whether addresses have to wait that try too often; needs to know them: ROOMWIRE_TRUSTED_PROXIES.",
    )
    throttle_window_s: int = Field(
        900, description="How long what an address tried counts, from the first on.", ge=1, le=_DAY_S
    )
    max_login_failures: int = Field(
        10,
        description="Most wrong passwords for one account, or secrets for one client, from one address in that time;"
        " 0: any number.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_login_failures_per_address: int = Field(
        100,
        description="The same for all of them, but for those that signed in from there before; 0: any number.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_registrations_per_address: int = Field(
        100,
        description="Most registrations from one address in that time; 0: any number.",
        ge=0,
        le=_MAX_COUNT,
    )
    max_guests_per_address: int = Field(
        1000, description="Most guests from one address in that time; 0: any number.", ge=0, le=_MAX_COUNT
    )
    max_refresh_failures_per_address: int = Field(
        100,
        description="Refresh tokens of one address that do not hold, in that time, beyond which it is told to wait;"
        " 0: any number.",
        ge=0,
        le=_MAX_COUNT,
    )
    known_address_ttl_s: int = Field(
        30 * _DAY_S,
        description="How long after a login its account is not held to what others fail at from its address.",
        ge=1,
        le=366 * _DAY_S,
    )
    password_hashers: int = Field(2, description="How many passwords are hashed at a time.", ge=1, le=64)
    password_queue: int = Field(
        32,
        description="How many passwords may wait to be hashed; beyond, sign-ins are refused.",
        ge=0,
        le=10_000,
    )
    argon2_time_cost: int = Field(2, description="Passes over the memory for one hash.", ge=1, le=64)
    argon2_memory_kib: int = Field(
        19_456, description="Memory for one hash, in KiB; each hasher takes as much.", ge=7_168, le=1_048_576
    )
    argon2_parallelism: int = Field(1, description="Threads that work on one hash.", ge=1, le=16)
    docs: bool = Field(default=True, description="Whether the API's page is served at /auth/docs.")

    @field_validator("redis_url")
    @classmethod
    def _refuse_memory(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("memory:"):
            raise ValueError("accounts need Redis or Valkey, memory:// is for a gateway alone")
        return value
