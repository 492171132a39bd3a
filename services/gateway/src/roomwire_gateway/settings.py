"""The gateway's settings: the only place that names its environment variables."""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from roomwire.health.clocks import MAX_SKEW_S
from roomwire.identity.claim_names import OUR_CLAIMS, ClaimNames
from roomwire.identity.jwk import ALGORITHMS, EDDSA
from roomwire.identity.provider import is_trustworthy
from roomwire.identity.tokens import TOKEN_TYPE
from roomwire.relay import advertised
from roomwire.serving.settings import CommaSeparated, ServiceSettings

_TRANSPORTS: Final = ("polling", "websocket")
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
_SECRET_CHARACTERS: Final = 32


class Settings(ServiceSettings):
    """What a gateway can be told, beside what every service can."""

    port: int = Field(8000, description="Public port: Socket.IO and the page.", ge=0, le=65535)
    ops_port: int = Field(9000, description="Operations port: /livez, /readyz, /metrics.", ge=0, le=65535)
    auth_mode: Literal["required", "optional", "off"] = Field(
        "required",
        description="Whether clients need a token; optional: without one they are anonymous; off: tokens are ignored.",
    )
    auth_jwks_url: str = Field(
        "http://127.0.0.1:8001/auth/.well-known/jwks.json",
        description="Where the public keys of access tokens are.",
        pattern=r"^https?://",
    )
    auth_jwks_ca_file: Path | None = Field(
        None,
        description="Who vouches for that address if it is https: certificates, PEM. Default: whom the system trusts.",
    )
    auth_discovery_url: str = Field(
        "",
        description="Where an identity provider's metadata are, https, instead of the keys' URL: docs/identity.md.",
    )
    auth_fetch_timeout_s: float = Field(
        2.0, description="How long it may take to fetch the keys, the metadata included.", ge=0.1, le=30
    )
    max_clock_skew_s: float = Field(
        MAX_SKEW_S,
        description="How far the clocks of Redis and of auth (or the identity provider) may differ from this service's before it"
        " says so: docs/runbook.md.",
        ge=1,
        le=300,
    )
    auth_algorithms: CommaSeparated = Field(
        (EDDSA,),
        description="What access tokens may be signed by, such as RS256,ES256. Symmetric ones are not taken.",
    )
    auth_token_types: CommaSeparated = Field(
        (TOKEN_TYPE,),
        description="What the `typ` of access tokens may be, such as JWT; `none`: they may have none.",
    )
    auth_claim_user: str = Field(
        OUR_CLAIMS.user, description="The claim that is the user's id; `/a/b`: the value b in the claim a."
    )
    auth_claim_name: str = Field(
        OUR_CLAIMS.name, description="The claim that people see as the user's name, where a token has it."
    )
    auth_claim_session: str = Field(
        OUR_CLAIMS.session, description="The claim that names the session, by which a token can be revoked."
    )
    auth_claim_roles: str = Field(
        OUR_CLAIMS.roles,
        description="The claim with the policy's roles of the user; then `cap` is not read. Default: there is none.",
    )
    anonymous_role: str = Field(
        "guest", description="The policy's role of clients without a token; `none`: they may do nothing."
    )
    claimless_role: str = Field(
        "none",
        description="The role of tokens that say neither `cap` nor a role of the policy; `none`: nothing.",
    )
    transports: CommaSeparated = Field(
        _TRANSPORTS,
        description="What clients may connect by: polling, websocket or both. The page needs polling.",
    )
    api_port: int = Field(
        0,
        description="Port of the HTTP API for backends, under /api/v1; 0: there is none. Lead no ingress to it.",
        ge=0,
        le=65535,
    )
    api_keys: SecretStr | None = Field(
        None,
        description="Keys that the API takes beside tokens, one a line: a name, a role of the policy, a secret of 32"
        " characters or more.",
    )
    api_max_per_s: float = Field(
        100.0,
        description="Most calls a second of one caller of the API at this gateway, each message of a batch counted;"
        " beyond: refused, `rate_limited`. 0: any number.",
        ge=0,
    )
    relay_port: int = Field(
        0,
        description="Port where other gateways bring requests of sessions held here; 0: no relay, none either way.",
        ge=0,
        le=65535,
    )
    relay_host: str = Field(
        "",
        description="Address at which other gateways reach that port, such as the pod's. Default: ROOMWIRE_HOST.",
        max_length=253,
        pattern=r"^[\w.:-]*$",
        validate_default=True,
    )
    relay_secret: SecretStr | None = Field(
        None,
        description="What gateways know each other by: 32 characters or more, the same for all. Required with a port.",
        validate_default=True,
    )
    relay_timeout_s: float = Field(
        2.0, description="How long it may take to reach another gateway.", ge=0.1, le=60
    )
    max_relays: int = Field(
        10_000,
        description="Most requests and WebSockets taken to other gateways at a time; beyond: 400, as for an unknown session.",
        ge=1,
    )
    ping_interval_s: float = Field(25.0, description="How often a client is pinged.", ge=0.1, le=300)
    ping_timeout_s: float = Field(
        20.0, description="How long a client may take to answer a ping.", ge=0.1, le=300
    )
    connect_timeout_s: float = Field(
        20.0, description="How long a client may be there without connecting to a namespace.", ge=0.1, le=300
    )
    upgrade_timeout_s: float = Field(
        10.0, description="How long a WebSocket may take to replace polling.", ge=0.1, le=300
    )
    close_timeout_s: float = Field(
        5.0, description="How long a WebSocket that was told of its end may stay open.", ge=0.1, le=60
    )
    max_payload_packets: int = Field(
        256,
        description="Most packets in one polling payload that are no messages; beyond: closed.",
        ge=16,
        le=100_000,
    )
    max_fragments: int = Field(
        64,
        description="Most frames of one WebSocket message, beside one for each KiB of it; beyond: closed.",
        ge=1,
        le=100_000,
    )
    max_waiting_messages: int = Field(
        256,
        description="Most messages of a client that wait for one being handled; beyond: it is not read until half are taken.",
        ge=1,
        le=100_000,
    )
    max_waiting_events: int = Field(
        256,
        description="Most events of a client being handled or waiting for it; beyond: refused, `rate_limited`.",
        ge=1,
        le=100_000,
    )
    max_waiting_events_bytes: int = Field(
        4_000_000,
        description="Largest sum of a client's events that wait, if it is more than one; beyond: refused, `rate_limited`.",
        ge=10_000,
    )
    max_unread_bytes: int = Field(
        4_000_000,
        description="How much may wait for a client that does not read; beyond: closed, `slow consumer`.",
        ge=10_000,
    )
    max_attachments: int = Field(
        10, description="Most binary attachments of one packet; beyond: closed.", ge=0, le=999
    )
    max_attachments_bytes: int = Field(
        4_000_000,
        description="Largest attachments of one packet, together, if there are several; beyond: closed.",
        ge=0,
    )
    max_pending_acks: int = Field(
        256,
        description="Most acks awaited of a client; beyond: the newest is refused, `rate_limited`.",
        ge=1,
        le=100_000,
    )
    max_held_frames: int = Field(
        1_000, description="Most frames held back for a client that is connecting; beyond: closed.", ge=1
    )
    max_held_bytes: int = Field(1_000_000, description="Their size; beyond: closed.", ge=1_000)
    max_namespaces: int = Field(
        16, description="Most namespaces of one connection; beyond: refused.", ge=1, le=1_000
    )
    max_refused_connects: int = Field(
        3,
        description="Refusals of one connection that are answered at once; beyond: each later than the one before, up to 8 s.",
        ge=0,
        le=1_000,
    )
    recovery: bool = Field(
        default=True, description="Whether clients that lost their connection are offered to continue."
    )
    max_replay_messages: int = Field(
        5_000,
        description="Most messages a client that comes back has missed; beyond: a new session, and it is told.",
        ge=1,
    )
    max_replay_bytes: int = Field(2_000_000, description="Their size; beyond: the same.", ge=1_000)
    max_recoveries: int = Field(
        100,
        description="Most clients that are being recovered at a time; beyond: they wait.",
        ge=1,
        le=10_000,
    )
    recovery_deadline_s: float = Field(
        10.0,
        description="How long a recovery may take, its wait included; beyond: closed, so that it comes again.",
        ge=0.1,
        le=60,
    )
    max_claims: int = Field(
        10,
        description="How often one session may be recovered within the next setting; beyond: a new one.",
        ge=1,
        le=1_000,
    )
    claims_window_s: float = Field(30.0, description="See there; the same on all gateways.", ge=1, le=3_600)
    message_id_ttl_s: float = Field(
        120.0,
        description="How long a client's `messageId` is remembered, so that what it says again is heard once.",
        ge=1,
        le=86_400,
    )
    max_events_per_s: float = Field(
        100.0,
        description="Most events a second of one connection; beyond: refused, `rate_limited`. 0: any number.",
        ge=0,
    )
    max_events_per_user_per_s: float = Field(
        300.0,
        description="The same, of all connections to this gateway of a user whom a token names. 0: any number.",
        ge=0,
    )
    max_events_per_address_per_s: float = Field(
        0.0,
        description="The same, from one address, of IPv6 one /64. 0: any number, as many may be behind one.",
        ge=0,
    )
    max_refused_events: int = Field(
        1_000,
        description="Most events refused as too many a second, until the client pauses; beyond: closed.",
        ge=0,
    )
    page: bool = Field(default=True, description="Whether the chat page is served at /.")

    @field_validator("transports")
    @classmethod
    def _check_transports(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not {*value} <= {*_TRANSPORTS}:
            raise ValueError("use polling, websocket, or both with a comma")
        return value

    @field_validator("auth_discovery_url")
    @classmethod
    def _check_discovery_url(cls, value: str) -> str:
        if value and not is_trustworthy(value):
            raise ValueError("use https, or http on this machine: whoever answers there says which keys hold")
        return value

    @field_validator("auth_algorithms")
    @classmethod
    def _check_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not {*value} <= {*ALGORITHMS}:
            raise ValueError(f"use one or more of {', '.join(ALGORITHMS)}, with commas")
        return value

    @field_validator("auth_token_types")
    @classmethod
    def _check_token_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name a type, such as at+jwt")
        return value

    @field_validator("relay_host")
    @classmethod
    def _check_relay_host(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("relay_port") and (value or info.data.get("host")) in _ANY_ADDRESS:
            raise ValueError("name the address at which other gateways reach this one")
        return value

    @field_validator("relay_secret")
    @classmethod
    def _check_relay_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (
            info.data.get("relay_port")
            and len(value.get_secret_value() if value else "") < _SECRET_CHARACTERS
        ):
            raise ValueError(f"a relay needs a secret of {_SECRET_CHARACTERS} characters or more")
        return value

    @property
    def auth_claim_names(self) -> ClaimNames:
        """Which claims say what."""
        return ClaimNames(
            user=self.auth_claim_user,
            name=self.auth_claim_name,
            session=self.auth_claim_session,
            roles=self.auth_claim_roles,
        )

    @property
    def relay_address(self) -> str:
        """Where other gateways reach this one, `host:port`; empty: they do not."""
        return advertised(self.relay_host or self.host, self.relay_port) if self.relay_port else ""
