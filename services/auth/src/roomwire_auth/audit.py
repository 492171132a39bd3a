"""The audit log: one line for each event of accounts, sessions, clients and keys.

All lines go through `record`, so `"audit": true` or the logger `auth.audit` tells them from other lines. Fields are
ids and addresses: never a token or a password, and never a name that a user typed, which may be a password in the
wrong field.
"""

import enum
from collections.abc import Sequence
from typing import Final

from roomwire.logs import get_logger

_log = get_logger("auth.audit")


class Event(enum.StrEnum):
    """What can happen; the value is the line's constant phrase. docs/tokens.md lists each event's fields."""

    REGISTERED = "account registered"
    LOGGED_IN = "logged in"
    LOGIN_REFUSED = "login refused"
    GUEST_ENTERED = "guest entered"
    TOKEN_REPEATED = "refresh token repeated"  # noqa: S105 - a phrase
    TOKEN_REUSED = "refresh token reused"  # noqa: S105 - a phrase
    LOGGED_OUT = "logged out"
    SESSION_ENDED = "session ended"
    SESSION_DISPLACED = "session displaced"
    LOGGED_OUT_EVERYWHERE = "logged out everywhere"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - a phrase
    PASSWORD_REFUSED = "password refused"  # noqa: S105 - a phrase
    ACCOUNT_DELETED = "account deleted"
    CLIENT_ADMITTED = "client token issued"
    CLIENT_REFUSED = "client refused"
    THROTTLED = "throttled"
    KEYS_READ = "signing keys read"
    CLIENTS_READ = "clients read"


_ALARMING: Final = frozenset({Event.TOKEN_REUSED})


def record(event: Event, **facts: str | Sequence[str] | None) -> None:
    """Write a line: a warning if the event alone is alarming, else at level `info`.

    Args:
        event: What happened.
        facts: The line's fields: `user`, `session` and `client` are ids, `address` is the client's.

    """
    log = _log.warning if event in _ALARMING else _log.info
    log(event.value, audit=True, **facts)
