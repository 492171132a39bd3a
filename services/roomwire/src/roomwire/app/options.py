"""Translates settings into the terms of the parts of a gateway that use them. Pure."""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from roomwire.app.settings import GatewaySettings
from roomwire.errors import ConfigurationError
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.log.guard import GuardConfig
from roomwire.protocol.deflate import PerMessageDeflate
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.serving.tls import vouched_for_by

_LEAST_MESSAGE_ID_TTL_S: Final = 60.0
"""A gateway that dies has published for at most a few seconds what its successor publishes again, by the same message ids."""


class Emitters(msgspec.Struct, frozen=True):
    """What of Node's emitters is listened to.

    Attributes:
        url: Their Redis.
        key: The key of those that publish. Empty if they are not listened to.
        stream: The stream of the others. Empty if it is not read.

    """

    url: str
    key: str
    stream: str


def emitters(settings: GatewaySettings) -> Emitters | None:
    """Return what of Node's emitters is listened to, or None.

    Raises:
        ConfigurationError: It would not work.

    """
    which = settings.nodejs_emitters
    if which == "off":
        return None
    log_url, own = settings.redis_url.get_secret_value(), settings.nodejs_emitters_redis_url
    if log_url.startswith("memory:"):
        raise ConfigurationError(
            "ROOMWIRE_NODEJS_EMITTERS needs Redis, through which emitters speak: set ROOMWIRE_REDIS_URL"
        )
    if which != "pubsub" and settings.message_id_ttl_s < _LEAST_MESSAGE_ID_TTL_S:
        raise ConfigurationError(
            f"ROOMWIRE_NODEJS_EMITTERS={which} delivers each event once by its message id: set ROOMWIRE_MESSAGE_ID_TTL_S to at "
            f"least {_LEAST_MESSAGE_ID_TTL_S:g}"
        )
    return Emitters(
        log_url if own is None else own.get_secret_value(),
        "" if which == "streams" else settings.nodejs_emitters_key,
        "" if which == "pubsub" else settings.nodejs_emitters_stream,
    )


def log_config(settings: GatewaySettings) -> LogConfig:
    """Return the log's times and bounds."""
    return LogConfig.for_pings(
        settings.ping_interval_s,
        settings.ping_timeout_s,
        link_timeout_s=settings.redis_timeout_s,
        message_id_ttl_s=settings.message_id_ttl_s,
        # The time is long enough to connect again, and short enough for a client that waits for an ack.
        call_timeout_s=1.5 * settings.redis_timeout_s,
        claim_deadline_s=settings.recovery_deadline_s,
        max_claims=settings.max_claims,
        claims_window_s=settings.claims_window_s,
        max_clock_skew_s=settings.max_clock_skew_s,
        guard=GuardConfig(
            guests_mark=settings.redis_guests_mark,
            users_mark=settings.redis_users_mark,
            guests_share=settings.redis_guests_share,
            histories_share=settings.redis_history_share,
            log_share=settings.redis_log_share,
            room_history_bytes=settings.max_history_bytes,
            guest_history_ttl_s=settings.guest_history_ttl_s,
        ),
    )


def client_limits(settings: GatewaySettings) -> Limits:
    """Return the limits of one client, each from the setting of its name."""
    names = {*Limits.__struct_fields__} & {*GatewaySettings.model_fields}
    return Limits(
        max_payload_bytes=settings.max_body_bytes,
        max_sessions=settings.max_connections,
        max_sessions_per_address=settings.max_connections_per_address,
        **{name: getattr(settings, name) for name in names},
    )


def recovery_limits(settings: GatewaySettings) -> RecoveryLimits:
    """Return the limits of recoveries at this gateway."""
    return RecoveryLimits(
        is_offered=settings.recovery,
        max_entries=settings.max_replay_messages,
        max_bytes=settings.max_replay_bytes,
        max_concurrent=settings.max_recoveries,
    )


def per_message_deflate(settings: GatewaySettings) -> PerMessageDeflate:
    """Return which messages of WebSockets are compressed, if compression is on."""
    return PerMessageDeflate(threshold_bytes=settings.per_message_deflate_threshold_bytes)


def cors(origins: tuple[str, ...]) -> str | list[str] | None:
    """Translate the setting into python-engineio's, whose None allows the page's own origin only."""
    if origins == ("*",):
        return "*"
    return list(origins) or None


def believed(authorities: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context for auth over https. None stands for the system's certificate authorities."""
    if authorities is None:
        return None
    try:
        return vouched_for_by(authorities)
    except ConfigurationError as error:
        raise ConfigurationError(f"ROOMWIRE_AUTH_JWKS_CA_FILE: {error}") from None


def shown(url: str) -> str:
    """Return a URL without credentials and query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
