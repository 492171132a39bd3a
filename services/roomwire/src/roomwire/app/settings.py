"""The settings of a gateway process, whatever application it serves: the only place that names its environment variables."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from roomwire.app.emitter_settings import EmitterSettings
from roomwire.health.clocks import MAX_SKEW_S
from roomwire.identity.claim_names import OUR_CLAIMS, ClaimNames
from roomwire.identity.jwk import ALGORITHMS, EDDSA
from roomwire.identity.provider import is_trustworthy
from roomwire.identity.tokens import TOKEN_TYPE
from roomwire.relay import advertised
from roomwire.serving.settings import CommaSeparated
from roomwire.tracing import is_available

_TRANSPORTS: Final = ("polling", "websocket")
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
_SECRET_CHARACTERS: Final = 32


class GatewaySettings(EmitterSettings):
    """The settings of a gateway, in addition to those of every service."""

    port: int = Field(
        8000,
        description="Public port for Socket.IO and the page. `0` lets the system choose.",
        ge=0,
        le=65535,
    )
    ops_port: int = Field(
        9000,
        description="Operations port, which serves /livez, /readyz and /metrics. `0` lets the system choose.",
        ge=0,
        le=65535,
    )
    app: str = Field(
        "",
        description="Application that is served, as module:attribute; a function there makes it, docs/application.md. Default:"
        " the chat, where `python -m roomwire_gateway` serves.",
        pattern=r"^([\w.]+:\w+)?$",
    )
    auth_mode: Literal["required", "optional", "off"] = Field(
        "required",
        description="Whether clients need a token. `optional` admits clients without a token as anonymous; `off` ignores "
        "tokens.",
    )
    auth_jwks_url: str = Field(
        "http://127.0.0.1:8001/auth/.well-known/jwks.json",
        description="URL of the public keys (JWKS) that verify access tokens.",
        pattern=r"^https?://",
    )
    auth_jwks_ca_file: Path | None = Field(
        None,
        description="CA certificates (PEM) for that URL if it is https. Default: the system's.",
    )
    auth_discovery_url: str = Field(
        "",
        description="URL (https) of an identity provider's metadata; replaces ROOMWIRE_AUTH_JWKS_URL, docs/identity.md. Empty "
        "disables discovery.",
    )
    auth_fetch_timeout_s: float = Field(
        2.0, description="Timeout for fetching the keys, metadata included.", ge=0.1, le=30
    )
    max_clock_skew_s: float = Field(
        MAX_SKEW_S,
        description="Difference between this service's clock and that of Redis or of the token issuer above which it is "
        "reported, docs/runbook.md.",
        ge=1,
        le=300,
    )
    auth_algorithms: CommaSeparated = Field(
        (EDDSA,),
        description="Accepted signature algorithms of access tokens, separated by commas, for example RS256,ES256. Symmetric "
        "algorithms are not supported.",
    )
    auth_token_types: CommaSeparated = Field(
        (TOKEN_TYPE,),
        description="Accepted values of a token's `typ` header, separated by commas, for example JWT. `none` accepts tokens "
        "without one.",
    )
    auth_claim_user: str = Field(
        OUR_CLAIMS.user,
        description="Claim that holds the user's id. `/a/b` means the value `b` inside the claim `a`.",
    )
    auth_claim_name: str = Field(
        OUR_CLAIMS.name, description="Claim that holds the user's display name, if a token has it."
    )
    auth_claim_session: str = Field(
        OUR_CLAIMS.session, description="Claim that names the session, by which a token can be revoked."
    )
    auth_claim_roles: str = Field(
        OUR_CLAIMS.roles,
        description="Claim that holds the user's roles in the policy. If it is set, `cap` is not read. Empty disables it.",
    )
    anonymous_role: str = Field(
        "guest", description="Role of clients without a token. `none` gives them no permissions."
    )
    claimless_role: str = Field(
        "none",
        description="Role of tokens that have neither `cap` nor a role of the policy. `none` gives them no permissions.",
    )
    transports: CommaSeparated = Field(
        _TRANSPORTS,
        description="Transports that clients may use: polling, websocket, or both separated by a comma. The page needs "
        "polling.",
    )
    api_port: int = Field(
        0,
        description="Port of the HTTP API for backends under /api/v1, docs/api.md. `0` disables the API. Do not expose "
        "this port through a public ingress.",
        ge=0,
        le=65535,
    )
    api_keys: SecretStr | None = Field(
        None,
        description="API keys that are accepted besides tokens, one per line: a name, a role of the policy, and a secret of at"
        " least 32 characters.",
    )
    api_max_per_s: float = Field(
        100.0,
        description="Maximum rate of API calls of one caller at this gateway, counting each message of a batch; further calls "
        "get `rate_limited`. `0` disables the limit.",
        ge=0,
    )
    admin_name: str = Field(
        "",
        description="Name with which an operator signs in to the official admin UI, docs/admin.md. Empty disables the namespace "
        "/admin.",
        max_length=64,
    )
    admin_password_hash: SecretStr | None = Field(
        None,
        description="Argon2id hash of the password for that name. Required with ROOMWIRE_ADMIN_NAME.",
        validate_default=True,
    )
    admin_mode: Literal["production", "development"] = Field(
        "production",
        description="What the admin UI shows: `production` shows gateways and totals, `development` sockets and rooms as well.",
    )
    admin_max_sockets: int = Field(
        1_000,
        description="Maximum number of sockets that the admin UI shows in `development`.",
        ge=1,
        le=2_000,
    )
    admin_read_only: bool = Field(
        default=False, description="Whether the admin UI only looks, and cannot change rooms or disconnect."
    )
    relay_port: int = Field(
        0,
        description="Port on which other gateways relay requests for sessions held here, docs/relay.md. `0` disables relaying "
        "in both directions.",
        ge=0,
        le=65535,
    )
    relay_host: str = Field(
        "",
        description="Address at which other gateways reach that port, for example the pod's. Default: ROOMWIRE_HOST.",
        max_length=253,
        pattern=r"^[\w.:-]*$",
        validate_default=True,
    )
    relay_secret: SecretStr | None = Field(
        None,
        description="Shared secret by which gateways authenticate each other: at least 32 characters, identical on all "
        "gateways. Required with ROOMWIRE_RELAY_PORT.",
        validate_default=True,
    )
    relay_timeout_s: float = Field(
        2.0, description="Time limit for connecting to another gateway.", ge=0.1, le=60
    )
    max_relays: int = Field(
        10_000,
        description="Maximum number of requests and WebSockets relayed to other gateways at once; further ones get 400, as for"
        " an unknown session.",
        ge=1,
    )
    ping_interval_s: float = Field(25.0, description="Interval between pings to a client.", ge=0.1, le=300)
    ping_timeout_s: float = Field(
        20.0, description="Time within which a client must answer a ping.", ge=0.1, le=300
    )
    connect_timeout_s: float = Field(
        20.0, description="Time within which a client must connect to a namespace.", ge=0.1, le=300
    )
    upgrade_timeout_s: float = Field(
        10.0, description="Time limit for replacing polling by a WebSocket.", ge=0.1, le=300
    )
    close_timeout_s: float = Field(
        5.0,
        description="Time within which a client must close its WebSocket after the server's close frame.",
        ge=0.1,
        le=60,
    )
    max_payload_packets: int = Field(
        256,
        description="Maximum number of packets other than messages in one polling payload; a larger payload closes the "
        "connection.",
        ge=16,
        le=100_000,
    )
    max_fragments: int = Field(
        64,
        description="Maximum number of frames in one WebSocket message, plus one per KiB of it; more frames close the "
        "connection.",
        ge=1,
        le=100_000,
    )
    max_waiting_messages: int = Field(
        256,
        description="Maximum number of messages of one client that wait until its connection is open; at the limit the server "
        "stops reading from the client until half of them are left.",
        ge=1,
        le=100_000,
    )
    max_waiting_events: int = Field(
        256,
        description="Maximum number of events of one client that a concurrent gateway handles at the same time; further ones "
        "wait. Also the maximum number of its reply streams.",
        ge=1,
        le=100_000,
    )
    max_waiting_events_bytes: int = Field(
        4_000_000,
        description="Size of the unhandled events of one client beyond which the server stops reading from it until half of them "
        "are left. While the server awaits an acknowledgement of the client, it reads up to four times as much, then closes the "
        "connection.",
        ge=10_000,
    )
    max_unread_bytes: int = Field(
        4_000_000,
        description="Maximum number of bytes queued for a client that does not read. With more it is closed as `slow consumer` "
        "if it reads nothing for `ROOMWIRE_UNREAD_TIMEOUT_S`; at once if more is added while memory is short, or while the "
        "client holds more than sixteen times this size. Otherwise every message is let through, however large it is.",
        ge=10_000,
    )
    unread_timeout_s: float = Field(
        20.0,
        description="Time within which a client must read something while more than `ROOMWIRE_MAX_UNREAD_BYTES` wait for it; "
        "after it the connection is closed as `slow consumer`.",
        gt=0,
        le=3600,
    )
    max_attachments: int = Field(
        10,
        description="Maximum number of binary attachments of one packet; more close the connection. `0` accepts none.",
        ge=0,
        le=999,
    )
    max_attachments_bytes: int = Field(
        4_000_000,
        description="Maximum total size of the attachments of one packet that has several; more closes the connection. `0` "
        "accepts a single attachment only.",
        ge=0,
    )
    attachments_timeout_s: float = Field(
        20.0,
        description="Time within which the next attachment of a packet must arrive; after it the connection is closed.",
        ge=0.1,
        le=300,
    )
    max_auth_bytes: int = Field(
        8_192,
        description="Maximum size of the `auth` payload with which a client connects, without its token; a larger one is refused"
        " with `too_large`.",
        ge=256,
        le=1_000_000,
    )
    guests_share: float = Field(
        0.5,
        description="Part of the memory for clients that all guests and clients without a token may hold together; beyond it the "
        "largest of them are closed.",
        gt=0,
        le=1,
    )
    max_pending_acks: int = Field(
        256,
        description="Maximum number of acknowledgements that the server awaits from one client; the next request for one fails"
        " with `rate_limited`.",
        ge=1,
        le=100_000,
    )
    max_held_frames: int = Field(
        1_000,
        description="Maximum number of frames held for a client while it connects; more close the connection.",
        ge=1,
    )
    max_held_bytes: int = Field(
        1_000_000,
        description="Maximum total size of those frames. A connection with more is closed if more is added while memory is short, "
        "or while the client holds more than sixteen times this size.",
        ge=1_000,
    )
    max_namespaces: int = Field(
        16,
        description="Maximum number of namespaces of one connection; further ones are refused.",
        ge=1,
        le=1_000,
    )
    max_dynamic_namespaces: int = Field(
        10_000,
        description="Maximum number of namespaces of patterns, docs/namespaces.md, that have clients on one gateway; guests may open "
        "half of them. `0` disables this limit.",
        ge=0,
    )
    max_dynamic_namespaces_per_user: int = Field(
        100,
        description="Maximum number of such namespaces in which one account has clients on one gateway. `0` disables this limit.",
        ge=0,
    )
    max_refused_connects: int = Field(
        3,
        description="Number of refused namespaces of one connection that are answered at once; later refusals are delayed by "
        "up to 8 seconds. `0` delays every refusal.",
        ge=0,
        le=1_000,
    )
    recovery: bool = Field(
        default=True, description="Whether clients that lost their connection may recover their session."
    )
    max_replay_messages: int = Field(
        5_000,
        description="Maximum number of missed messages that are replayed to a client; beyond that the client gets a new "
        "session (`recovered` is false).",
        ge=1,
    )
    max_replay_bytes: int = Field(
        2_000_000,
        description="Maximum total size of those messages; beyond that the client gets a new session.",
        ge=1_000,
    )
    max_recoveries: int = Field(
        100,
        description="Maximum number of concurrent recoveries; further clients wait.",
        ge=1,
        le=10_000,
    )
    recovery_deadline_s: float = Field(
        10.0,
        description="Time limit for a recovery, including its wait; after it the transport is closed and the client "
        "reconnects.",
        ge=0.1,
        le=60,
    )
    max_claims: int = Field(
        10,
        description="Maximum recoveries of one session per ROOMWIRE_CLAIMS_WINDOW_S; beyond that the client gets a new "
        "session.",
        ge=1,
        le=1_000,
    )
    claims_window_s: float = Field(
        30.0, description="Length of that window. Must be identical on all gateways.", ge=1, le=3_600
    )
    message_id_ttl_s: float = Field(
        120.0,
        description="Time for which a client's `messageId` is remembered, so that a repeated message is delivered once.",
        ge=1,
        le=86_400,
    )
    max_events_per_s: float = Field(
        100.0,
        description="Maximum event rate of one connection; further events get `rate_limited`. `0` disables the limit.",
        ge=0,
    )
    max_events_per_user_per_s: float = Field(
        300.0,
        description="Maximum event rate of all connections of one authenticated user to this gateway; further events get "
        "`rate_limited`. `0` disables the limit.",
        ge=0,
    )
    max_events_per_address_per_s: float = Field(
        0.0,
        description="Maximum event rate of all connections from one address (IPv6: from one /64) to this gateway. `0` disables"
        " the limit.",
        ge=0,
    )
    max_events_of_guests_per_s: float = Field(
        500.0,
        description="Maximum event rate of all guests and clients without a token on this gateway together, while an account or a "
        "service is connected to it; further events get `rate_limited`. The default is about half a core. `0` disables the limit.",
        ge=0,
    )
    max_connections_per_user: int = Field(
        0,
        description="Maximum number of sockets of one authenticated user over all gateways and their namespaces; further ones are "
        "refused with `rate_limited`. `0` leaves the limit to the gateway classes.",
        ge=0,
        le=100_000,
    )
    max_new_rooms: int = Field(
        300,
        description="Maximum number of rooms that one connection joins, or speaks to without being in them, in ten minutes; further "
        "ones get `rate_limited` where the application counts them, as the chat does. `0` disables the limit.",
        ge=0,
    )
    redis_guests_share: float = Field(
        0.5,
        description="Part of Redis' `maxmemory` that sessions, rooms and histories of guests may occupy together; docs/redis.md.",
        gt=0,
        le=1,
    )
    redis_guests_mark: float = Field(
        0.7,
        description="Used part of `maxmemory` from which nothing new is made for guests.",
        gt=0,
        le=1,
    )
    redis_users_mark: float = Field(
        0.85,
        description="Used part of `maxmemory` from which nothing new is made for accounts either.",
        gt=0,
        le=1,
    )
    redis_history_share: float = Field(
        0.125,
        description="Part of `maxmemory` that the histories of one class of clients (guests, accounts, services) may occupy; beyond "
        "it, the histories that were used longest ago are deleted.",
        gt=0,
        le=1,
    )
    redis_log_share: float = Field(
        0.5,
        description="Part of `maxmemory` that the messages which rooms store for recoveries may occupy together; beyond it, the rooms "
        "that were written longest ago are emptied, and clients that missed something there are told.",
        gt=0,
        le=1,
    )
    max_history_bytes: int = Field(
        1_048_576,
        description="Approximate maximum size of the history of one room.",
        ge=1_000,
    )
    guest_history_ttl_s: int = Field(
        3_600,
        description="Time for which the history of a room of guests stays after its last message or its last member.",
        ge=1,
        le=86_400,
    )
    max_refused_events: int = Field(
        1_000,
        description="Number of events that are refused for their rate, without a pause of the client, before the connection is"
        " closed. `0` closes it at the first.",
        ge=0,
    )
    per_message_deflate: bool = Field(
        default=False,
        description="Whether WebSockets are compressed (permessage-deflate) for clients that offer it; docs/compression.md.",
    )
    per_message_deflate_threshold_bytes: int = Field(
        1_024,
        description="Minimum size of the messages to clients that are then compressed. `0` compresses all messages.",
        ge=0,
        le=100_000_000,
    )
    tracing: bool = Field(
        default=False,
        description="Whether events, connections, publishes and deliveries make spans of OpenTelemetry, and log lines carry their "
        "ids; docs/tracing.md. The application brings OpenTelemetry's SDK.",
    )

    @field_validator("transports")
    @classmethod
    def _check_transports(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not {*value} <= {*_TRANSPORTS}:
            raise ValueError("use polling, websocket, or both separated by a comma")
        return value

    @field_validator("auth_discovery_url")
    @classmethod
    def _check_discovery_url(cls, value: str) -> str:
        if value and not is_trustworthy(value):
            raise ValueError(
                "use https, or http on this machine: any host that answers there decides which keys are trusted"
            )
        return value

    @field_validator("auth_algorithms")
    @classmethod
    def _check_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not {*value} <= {*ALGORITHMS}:
            raise ValueError(f"use one or more of {', '.join(ALGORITHMS)}, separated by commas")
        return value

    @field_validator("tracing")
    @classmethod
    def _check_tracing(cls, value: bool) -> bool:  # noqa: FBT001 - the value of a field
        if value and not is_available():
            raise ValueError("install OpenTelemetry's API: pip install 'roomwire[tracing]'")
        return value

    @field_validator("admin_password_hash")
    @classmethod
    def _check_admin(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("admin_name"):
            if value is None:
                raise ValueError("set the Argon2id hash of the admin's password")
            if find_spec("argon2") is None:
                raise ValueError("install argon2: pip install 'roomwire[admin]'")
        return value

    @field_validator("auth_token_types")
    @classmethod
    def _check_token_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one type, such as at+jwt")
        return value

    @field_validator("relay_host")
    @classmethod
    def _check_relay_host(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("relay_port") and (value or info.data.get("host")) in _ANY_ADDRESS:
            raise ValueError("set the address at which other gateways reach this one")
        return value

    @field_validator("relay_secret")
    @classmethod
    def _check_relay_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (
            info.data.get("relay_port")
            and len(value.get_secret_value() if value else "") < _SECRET_CHARACTERS
        ):
            raise ValueError(f"the relay needs a secret of at least {_SECRET_CHARACTERS} characters")
        return value

    @property
    def has_traces(self) -> bool:
        """See `ServiceSettings`."""
        return self.tracing

    @property
    def auth_claim_names(self) -> ClaimNames:
        """The names of the claims."""
        return ClaimNames(
            user=self.auth_claim_user,
            name=self.auth_claim_name,
            session=self.auth_claim_session,
            roles=self.auth_claim_roles,
        )

    @property
    def relay_address(self) -> str:
        """The address at which other gateways reach this one, as `host:port`. Empty without a relay."""
        return advertised(self.relay_host or self.host, self.relay_port) if self.relay_port else ""
