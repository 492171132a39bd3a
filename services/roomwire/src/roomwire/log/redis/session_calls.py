"""A gateway's calls to the primary about one session: begin, claim, change, find and end it.

Each reply is applied to the subscriber at its position in the log's order. `roomwire.log.redis.log` is the only user of this
module. The scripts define what the primary does.
"""

from collections.abc import Callable
from typing import Final, NoReturn, cast

from roomwire.errors import Internal
from roomwire.log import sessions
from roomwire.log.config import LogConfig
from roomwire.log.contract import MAX_PRESENT_BYTES, Fenced, Then
from roomwire.log.errors import LogCrowded, RejoinedTooOften
from roomwire.log.positions import Position
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.replies import attendance_reply, claim_reply, membership_reply, owner_reply
from roomwire.log.redis.resync import fence
from roomwire.log.redis.scripts import Scripts
from roomwire.log.redis.supervisor import Supervisor
from roomwire.log.sessions import (
    Attendance,
    Claimed,
    ClaimRefused,
    NewSession,
    NodeId,
    SessionOwner,
    Sid,
    Tenure,
)
from roomwire.log.streams import Stream, is_sid_stream, sid_stream
from roomwire.log.subscriber import Subscriber
from roomwire.redis.script import Script

_CROWDED: Final = b"FULL"


class SessionCalls:
    """Calls the scripts of sessions for one incarnation of a gateway. `Log` documents the errors of each method.

    Args:
        node: This incarnation of this gateway.
        keys: The names of keys.
        scripts: The scripts that run on the primary.
        config: The times and limits.
        subscriber: Receives the sessions that are held here, and the positions that were reached.
        supervisor: Has the links.
        crowded: Notes what the guard refuses, and returns the error.

    """

    def __init__(
        self,
        *,
        node: NodeId,
        keys: Keys,
        scripts: Scripts,
        config: LogConfig,
        subscriber: Subscriber,
        supervisor: Supervisor,
        crowded: Callable[[str], LogCrowded],
    ) -> None:
        self._node = node
        self._keys = keys
        self._scripts = scripts
        self._config = config
        self._subscriber = subscriber
        self._supervisor = supervisor
        self._session_ttl_ms = int(config.session_ttl_s * 1000)
        self._limits = config.guard.limits(self._session_ttl_ms)
        self._crowded = crowded

    async def open(self, session: NewSession, then: Then | None = None) -> Tenure:
        """Begin a session; see `Log.open`."""
        tenure = Tenure(session.sid, 1)

        def apply(position: object) -> Tenure:
            if position is None:
                raise Internal
            if position == _CROWDED:
                raise self._crowded("session")
            self._subscriber.hold(tenure)
            reach(self._subscriber, Position(cast("int", position)), then)
            return tenure

        arguments = (
            self._node,
            sessions.FORMAT,
            _text(session.namespace),
            _text(session.subject),
            session.data,
            self._session_ttl_ms,
            session.about,
            session.client_class.value,
            self._keys.prefix,
            self._limits,
            sid_stream(session.sid)[2:],
            b"" if session.is_recoverable else b"1",
        )
        return await self._supervisor.call(
            self._scripts.open, [self._keys.session(session.sid)], arguments, apply
        )

    async def join(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """Make a session a member of a room; see `Log.join`."""
        return await self._change(self._scripts.join, b"join", tenure, stream, then)

    async def leave(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """End a membership; see `Log.leave`."""
        return await self._change(self._scripts.leave, b"leave", tenure, stream, then)

    async def claim(self, sid: Sid, *, namespace: str, subject: str) -> Claimed | ClaimRefused:
        """Take over a session; see `Log.claim`."""

        def apply(reply: object) -> Claimed | ClaimRefused:
            claimed = claim_reply(sid, reply)
            if isinstance(claimed, ClaimRefused):
                return claimed
            # This fences an older socket of this session on this node immediately.
            self._subscriber.hold(claimed.tenure)
            reach(self._subscriber, claimed.position, None)
            return claimed

        arguments = (
            self._node,
            sid,
            sessions.FORMAT,
            _text(namespace),
            _text(subject),
            self._keys.prefix,
            int(self._config.confirm_s * 1000),
            self._config.max_claims,
            int(self._config.claims_window_s * 1000),
            self._session_ttl_ms,
        )
        keys = [self._keys.session(sid), self._keys.due]
        return await self._supervisor.call(self._scripts.claim, keys, arguments, apply)

    async def save(self, tenure: Tenure, data: bytes) -> None:
        """Store a session's data; see `Log.save`."""

        def apply(is_own: object) -> None:
            if not is_own:
                self._fence(tenure)

        await self._supervisor.call(
            self._scripts.save, [self._keys.session(tenure.sid)], (tenure.claim, data), apply
        )

    async def end(self, sid: Sid, claim: int | None = None) -> bool:
        """Delete a session; see `Log.end`."""

        def apply(was_there: object) -> bool:
            if was_there:
                for held in [one for one in self._subscriber.held() if one.sid == sid]:
                    fence(self._subscriber, held)
            return was_there == 1

        keys = [self._keys.session(sid), self._keys.stream(sid_stream(sid)), self._keys.due]
        arguments = (self._node, sid, "" if claim is None else claim, self._keys.prefix)
        return await self._supervisor.call(self._scripts.end, keys, arguments, apply)

    async def find(self, sid: Sid) -> SessionOwner | None:
        """Return the location of a session; see `Log.find`."""
        async with self._supervisor.reading() as pair:
            found = await pair.bulk.ask(b"HMGET", self._keys.session(sid), b"node", b"ns", b"sub", b"known")
        return owner_reply(found)

    async def present(self, stream: Stream, *, limit: int, max_bytes: int = MAX_PRESENT_BYTES) -> Attendance:
        """Return the sessions in a room; see `Log.present`."""
        keys = [self._keys.log, self._keys.members(stream)]
        arguments = (self._keys.prefix, stream, limit, max_bytes)
        async with self._supervisor.reading() as pair:
            return attendance_reply(await pair.bulk.ask_script(self._scripts.present, keys, arguments))

    async def _change(
        self, script: Script, what: bytes, tenure: Tenure, stream: Stream, then: Then | None
    ) -> Position:
        if is_sid_stream(stream):
            raise Internal

        def apply(reply: object) -> Position:
            if reply is None:
                self._fence(tenure)
            if reply == _CROWDED:
                raise self._crowded("join")
            if isinstance(reply, bytes):
                raise RejoinedTooOften
            last, position = membership_reply(reply)
            reach(self._subscriber, last, then, position)
            return position

        keys = [self._keys.session(tenure.sid), self._keys.members(stream), self._keys.due]
        arguments = (
            tenure.claim,
            stream,
            what,
            self._config.max_intervals,
            tenure.sid,
            self._session_ttl_ms,
            self._keys.prefix,
            self._limits,
        )
        return await self._supervisor.call(script, keys, arguments, apply)

    def _fence(self, tenure: Tenure) -> NoReturn:
        fence(self._subscriber, tenure)
        raise Fenced


def reach(
    subscriber: Subscriber, last: Position, then: Then | None, position: Position | None = None
) -> Position:
    """Apply an operation at its position in the order: everything up to `last` has been received, then `then` is called.

    Args:
        subscriber: Records the position.
        last: The log's last position when the operation was done.
        then: Called with the operation's position.
        position: The operation's position. Default: `last`.

    """
    subscriber.advance(last)
    if then is not None:
        then(last if position is None else position)
    return last


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
