"""Translates settings into the terms of the parts of a gateway that use them. Pure."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from roomwire.app.settings import GatewaySettings
from roomwire.errors import ConfigurationError
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.serving.tls import vouched_for_by


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
    )


def client_limits(settings: GatewaySettings) -> Limits:
    """Return the limits of one client, each from the setting of its name."""
    names = {*Limits.__struct_fields__} & {*GatewaySettings.model_fields}
    return Limits(
        max_payload_bytes=settings.max_body_bytes, **{name: getattr(settings, name) for name in names}
    )


def recovery_limits(settings: GatewaySettings) -> RecoveryLimits:
    """Return the limits of recoveries at this gateway."""
    return RecoveryLimits(
        is_offered=settings.recovery,
        max_entries=settings.max_replay_messages,
        max_bytes=settings.max_replay_bytes,
        max_concurrent=settings.max_recoveries,
    )


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
