"""Decides which clients may recover, and what a returning client gets. Pure.

`roomwire.recovery.offers` decides which clients are offered recovery. This module owns the other decisions, and
`roomwire.recovery.sessions` asks the log and acts on them. Source: the Socket.IO protocol, version 5, "Connection state recovery".
"""

import enum
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from roomwire.identity.tokens import User
from roomwire.log.entries import Entry
from roomwire.log.positions import Epoch, Offset
from roomwire.log.reading import Outcome, Reading
from roomwire.log.replay import is_for, merged
from roomwire.log.sessions import Claimed, Pid
from roomwire.protocol.payloads import payload_frames
from roomwire.recovery import offers

_PREFIXES: Final = {"guest": "guest:", "service": "client:"}
_PID: Final = re.compile(r"[A-Za-z0-9_-]{20}")
_OURS: Final = frozenset({"pid", "offset", "recovery"})


class RecoveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of recoveries at one gateway. `LogConfig` has those that all gateways share.

    Args:
        is_offered: Whether clients are offered recovery; without it they get neither a `pid` nor offsets. None lets each
            namespace decide, see `Server`.
        max_entries: Maximum number of messages that are replayed to one client; with more, its recovery is refused, and it is told.
        max_bytes: Maximum total size of those messages.
        max_concurrent: Maximum number of concurrent recoveries; others wait, at most until `LogConfig.claim_deadline_s`.

    """

    is_offered: bool | None = True
    max_entries: int = 5_000
    max_bytes: int = 2_000_000
    max_concurrent: int = 100


class Refusal(enum.StrEnum):
    """The reason why a returning client gets a new session and is told so."""

    GONE = "gone"
    """The session no longer exists, or it belongs to another user."""
    DUEL = "duel"
    """The session was claimed too often recently."""
    OFFSET = "offset"
    """The client's position in the log cannot be determined, or the log has not reached it."""
    INCOMPLETE = "incomplete"
    """Some of the missed messages are no longer stored."""
    TOO_MUCH = "too much"
    """The client missed more messages than are replayed."""


class RecoveryRequest(msgspec.Struct, frozen=True):
    """A client's request for recovery when it connects.

    Args:
        pid: The secret of an earlier session. None for a new client.
        offset: The last offset that the client received, if any.
        auth: The rest of its payload, for the application.
        is_offered: Whether the client can be recovered later.

    """

    pid: Pid | None
    offset: str | None
    auth: object
    is_offered: bool


def recovery_request_of(
    auth: object, environ: Mapping[str, object], *, may_recover: bool = True
) -> RecoveryRequest:
    """Return the request of a CONNECT.

    Args:
        auth: The payload of the CONNECT.
        environ: The request of its connection.
        may_recover: Whether the server offers recovery here.

    """
    pid, offset = (auth.get("pid"), auth.get("offset")) if isinstance(auth, dict) else (None, None)
    is_back = isinstance(pid, str) and _PID.fullmatch(pid) is not None
    is_offered = may_recover and offers.is_offered(offers.client_of(auth, environ, has_pid=is_back))
    if isinstance(auth, dict):
        ours = _OURS if is_back else {"recovery"}
        rest = {name: value for name, value in auth.items() if name not in ours}
        # A client without data sends no payload at all.
        auth = rest if rest or not ours & auth.keys() else None
    return RecoveryRequest(
        pid=Pid(str(pid)) if is_back and is_offered else None,
        offset=offset if isinstance(offset, str) else None,
        auth=auth,
        is_offered=is_offered,
    )


def subject_of(user: User) -> str:
    """Return the name under which a user's sessions are kept, so that only this user recovers them; empty without a token.

    It is the user's id. Two kinds of users can have the same id if their tokens are another provider's; then the kind is part of the name.
    """
    if user.kind == "anonymous":
        return ""
    expected = _PREFIXES.get(user.kind)
    is_of_its_kind = (
        not user.id.startswith(tuple(_PREFIXES.values()))
        if expected is None
        else user.id.startswith(expected)
    )
    return user.id if is_of_its_kind else f"{user.kind} {user.id}"


def missed_entries(
    readings: Sequence[Reading], claimed: Claimed, limits: RecoveryLimits
) -> Sequence[Entry] | Refusal:
    """Return the entries for a client from what was read for it, in order, or the reason why they are incomplete."""
    outcomes = {one.outcome for one in readings}
    if Outcome.TOO_MUCH in outcomes:
        return Refusal.TOO_MUCH
    if outcomes - {Outcome.COMPLETE}:
        return Refusal.INCOMPLETE
    sid, rooms = claimed.tenure.sid, claimed.rooms
    entries = [entry for entry in merged(one.entries for one in readings) if is_for(entry, sid, rooms)]
    size = sum(len(entry.message.payload) for entry in entries)
    return Refusal.TOO_MUCH if len(entries) > limits.max_entries or size > limits.max_bytes else entries


def replay_frames(
    entries: Sequence[Entry],
    namespace: str,
    epoch: Epoch,
    frames_of: Callable[..., list[bytes]] = payload_frames,
) -> Iterator[bytes]:
    """Yield the frames of entries, each with its own offset; `frames_of` is a `WireFormat`'s."""
    for entry in entries:
        yield from frames_of(namespace, entry.message.payload, str(Offset(epoch, entry.position)))
