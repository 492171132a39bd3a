"""The names of settings: which exist, which service has them, and which other variables resemble one.

Pure. A name that no service knows is most likely misspelled, and the intended setting would silently not apply. Its neighbour
`roomwire.serving.settings` refuses such names.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

PREFIX: Final = "ROOMWIRE_"

OF_SERVICES: Final = frozenset(
    f"{PREFIX}{name}"
    for name in [
        "ACCESS_TTL_S",
        "ADMIN_MAX_SOCKETS",
        "ADMIN_MODE",
        "ADMIN_NAME",
        "ADMIN_PASSWORD_HASH",
        "ADMIN_PASSWORD_HASH_FILE",
        "ADMIN_READ_ONLY",
        "ANONYMOUS_ROLE",
        "API_KEYS",
        "API_KEYS_FILE",
        "API_MAX_PER_S",
        "API_PORT",
        "APP",
        "ARGON2_MEMORY_KIB",
        "ARGON2_PARALLELISM",
        "ARGON2_TIME_COST",
        "ATTACHMENTS_TIMEOUT_S",
        "AUTH_ALGORITHMS",
        "AUTH_CLAIM_NAME",
        "AUTH_CLAIM_ROLES",
        "AUTH_CLAIM_SESSION",
        "AUTH_CLAIM_USER",
        "AUTH_DISCOVERY_URL",
        "AUTH_FETCH_TIMEOUT_S",
        "AUTH_JWKS_CA_FILE",
        "AUTH_JWKS_URL",
        "AUTH_MODE",
        "AUTH_TOKEN_TYPES",
        "CLAIMLESS_ROLE",
        "CLAIMS_WINDOW_S",
        "CLIENTS_FILE",
        "CLOSE_TIMEOUT_S",
        "CONNECT_TIMEOUT_S",
        "DOCS",
        "GUESTS",
        "GUESTS_SHARE",
        "GUEST_FIRST_TTL_S",
        "GUEST_HISTORY_TTL_S",
        "GUEST_TTL_S",
        "KEY_LEAD_S",
        "KNOWN_ADDRESS_TTL_S",
        "LONGEST_LOGIN_DELAY_S",
        "MAX_ATTACHMENTS",
        "MAX_ATTACHMENTS_BYTES",
        "MAX_AUTH_BYTES",
        "MAX_CLAIMS",
        "MAX_CLOCK_SKEW_S",
        "MAX_CONNECTIONS_PER_USER",
        "MAX_DYNAMIC_NAMESPACES",
        "MAX_DYNAMIC_NAMESPACES_PER_USER",
        "MAX_EVENTS_OF_GUESTS_PER_S",
        "MAX_EVENTS_PER_ADDRESS_PER_S",
        "MAX_EVENTS_PER_S",
        "MAX_EVENTS_PER_USER_PER_S",
        "MAX_FRAGMENTS",
        "MAX_GUESTS",
        "MAX_GUESTS_PER_ADDRESS",
        "MAX_GUESTS_PER_MINUTE",
        "MAX_HELD_BYTES",
        "MAX_HELD_FRAMES",
        "MAX_HISTORY_BYTES",
        "MAX_LOGIN_FAILURES",
        "MAX_LOGIN_FAILURES_PER_ADDRESS",
        "MAX_NAMESPACES",
        "MAX_NEW_ROOMS",
        "MAX_PASSWORD_CHECKS_PER_MINUTE",
        "MAX_PAYLOAD_PACKETS",
        "MAX_PENDING_ACKS",
        "MAX_RECOVERIES",
        "MAX_REFRESH_FAILURES_PER_ADDRESS",
        "MAX_REFUSED_CONNECTS",
        "MAX_REFUSED_EVENTS",
        "MAX_REGISTRATIONS_PER_ADDRESS",
        "MAX_REGISTRATIONS_PER_MINUTE",
        "MAX_RELAYS",
        "MAX_REPLAY_BYTES",
        "MAX_REPLAY_MESSAGES",
        "MAX_SESSIONS",
        "MAX_UNREAD_BYTES",
        "MAX_WAITING_EVENTS",
        "MAX_WAITING_EVENTS_BYTES",
        "MAX_WAITING_MESSAGES",
        "MESSAGE_ID_TTL_S",
        "NODEJS_EMITTERS",
        "NODEJS_EMITTERS_KEY",
        "NODEJS_EMITTERS_REDIS_URL",
        "NODEJS_EMITTERS_REDIS_URL_FILE",
        "NODEJS_EMITTERS_STREAM",
        "PAGE",
        "PASSWORD_HASHERS",
        "PASSWORD_QUEUE",
        "PER_MESSAGE_DEFLATE",
        "PER_MESSAGE_DEFLATE_THRESHOLD_BYTES",
        "PING_INTERVAL_S",
        "PING_TIMEOUT_S",
        "RECOVERY",
        "RECOVERY_DEADLINE_S",
        "REDIS_GUESTS_MARK",
        "REDIS_GUESTS_SHARE",
        "REDIS_HISTORY_SHARE",
        "REDIS_LOG_SHARE",
        "REDIS_USERS_MARK",
        "REFRESH_GRACE_S",
        "REFRESH_TTL_S",
        "RELAY_HOST",
        "RELAY_PORT",
        "RELAY_SECRET",
        "RELAY_SECRET_FILE",
        "RELAY_TIMEOUT_S",
        "SIGNING_KEY",
        "SIGNING_KEY_FILE",
        "THROTTLE",
        "THROTTLE_WINDOW_S",
        "TRACING",
        "TRANSPORTS",
        "UNREAD_TIMEOUT_S",
        "UPGRADE_TIMEOUT_S",
    ]
)
"""The settings that only one of our services has. Every service ignores those of the others, as one file often sets all."""

_SERVICE_LINK: Final = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)
_LINKED_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")
_MIN_LIKENESS: Final = 0.6


def is_link(value: object) -> bool:
    """Return whether a value looks like the `<SERVICE>_PORT` that Kubernetes sets in every pod of a Service's namespace."""
    return isinstance(value, str) and _LINKED_ADDRESS.match(value) is not None


def unknown(environment: Iterable[tuple[str, str]], known: Collection[str]) -> Iterator[str]:
    """Yield a message for each variable that looks like a setting but is none; it never contains the value.

    Args:
        environment: The names of variables, with their values.
        known: The names of settings, in upper case.

    """
    for name, value in environment:
        variable = name.upper()
        if variable.startswith(PREFIX) and variable not in known and not _is_service_link(variable, value):
            yield f"{name} is not a setting{_hint(variable, known)}"


def _hint(variable: str, known: Collection[str]) -> str:
    setting = variable.removesuffix("_FILE")
    if setting in known:
        return f": only secrets are read from files, set {setting}"
    names = sorted(name.removeprefix(PREFIX) for name in known)
    for likest in difflib.get_close_matches(variable.removeprefix(PREFIX), names, n=1, cutoff=_MIN_LIKENESS):
        return f": did you mean {PREFIX}{likest}?"
    return ""


def _is_service_link(variable: str, value: str) -> bool:
    """Return whether Kubernetes has set a variable for a Service whose name begins like our settings."""
    return _SERVICE_LINK.fullmatch(variable) is not None or (variable.endswith("_PORT") and is_link(value))
