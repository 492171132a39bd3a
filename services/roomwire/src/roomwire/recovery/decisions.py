"""Who may have recovery, and what a client that comes back gets. Pure.

Who is offered it stands in `roomwire.recovery.offers`. Owns the other decisions; `roomwire.recovery.sessions` asks the log and acts on them. Source: the Socket.IO protocol, version 5,
"Connection state recovery".
"""

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from roomwire.log.entries import Entry
from roomwire.log.positions import Epoch, Offset
from roomwire.log.reading import Outcome, Reading
from roomwire.log.replay import is_for, merged
from roomwire.log.sessions import Claimed, Pid
from roomwire.protocol.payloads import payload_frames
from roomwire.recovery import offers

_PID: Final = re.compile(r"[A-Za-z0-9_-]{20}")
_OURS: Final = frozenset({"pid", "offset", "recovery"})


class RecoveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of recoveries at one gateway; those that all gateways share are `LogConfig`'s.

    Args:
        is_offered: Whether clients are offered recovery at all; without it they get neither `pid` nor offsets. None: where the
            namespace does, see `Server`.
        max_entries: Most messages replayed to one client; beyond, it is refused, and told.
        max_bytes: Most bytes of them.
        max_concurrent: Most recoveries at a time; others wait, at most until `LogConfig.claim_deadline_s`.

    """

    is_offered: bool | None = True
    max_entries: int = 5_000
    max_bytes: int = 2_000_000
    max_concurrent: int = 100


class Refusal(enum.StrEnum):
    """Why a client that comes back gets a new session, and is told so."""

    GONE = "gone"
    """No such session any more, or it is somebody else's."""
    DUEL = "duel"
    """It was claimed too often lately."""
    OFFSET = "offset"
    """What the client has of the log cannot be known."""
    INCOMPLETE = "incomplete"
    """Some of what it missed is not kept any more."""
    TOO_MUCH = "too much"
    """It missed more than is replayed."""


class RecoveryRequest(msgspec.Struct, frozen=True):
    """What a client asks for when it connects.

    Args:
        pid: The secret of a session it had; None: it is new.
        offset: The last offset it got; None: none.
        auth: What is left of its payload for the application.
        is_offered: Whether it can be recovered later.

    """

    pid: Pid | None
    offset: str | None
    auth: object
    is_offered: bool


def recovery_request_of(
    auth: object, environ: Mapping[str, object], *, may_recover: bool = True
) -> RecoveryRequest:
    """Return what a CONNECT asks for.

    Args:
        auth: Its payload.
        environ: The request of its connection.
        may_recover: Whether the server offers recovery here.

    """
    pid, offset = (auth.get("pid"), auth.get("offset")) if isinstance(auth, dict) else (None, None)
    is_back = isinstance(pid, str) and _PID.fullmatch(pid) is not None
    is_offered = may_recover and offers.is_offered(offers.client_of(auth, environ, has_pid=is_back))
    if isinstance(auth, dict):
        ours = _OURS if is_back else {"recovery"}
        rest = {name: value for name, value in auth.items() if name not in ours}
        # A client without anything to say sends no payload at all.
        auth = rest if rest or not ours & auth.keys() else None
    return RecoveryRequest(
        pid=Pid(str(pid)) if is_back and is_offered else None,
        offset=offset if isinstance(offset, str) else None,
        auth=auth,
        is_offered=is_offered,
    )


def missed_entries(
    readings: Sequence[Reading], claimed: Claimed, limits: RecoveryLimits
) -> Sequence[Entry] | Refusal:
    """Return what a client gets of what was read for it, in order; or why it cannot be told in full."""
    outcomes = {one.outcome for one in readings}
    if Outcome.TOO_MUCH in outcomes:
        return Refusal.TOO_MUCH
    if outcomes - {Outcome.COMPLETE}:
        return Refusal.INCOMPLETE
    sid, rooms = claimed.tenure.sid, claimed.rooms
    entries = [entry for entry in merged(one.entries for one in readings) if is_for(entry, sid, rooms)]
    size = sum(len(entry.message.payload) for entry in entries)
    return Refusal.TOO_MUCH if len(entries) > limits.max_entries or size > limits.max_bytes else entries


def replay_frames(entries: Sequence[Entry], namespace: str, epoch: Epoch) -> Iterator[bytes]:
    """Yield entries as they go out, each with its own offset."""
    for entry in entries:
        yield from payload_frames(namespace, entry.message.payload, str(Offset(epoch, entry.position)))
