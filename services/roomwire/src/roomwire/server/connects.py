"""The server's clients: from a CONNECT to the verdict about it, and to their end."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

import socketio

from roomwire.engine.connection import Connection
from roomwire.engine.session import Reason
from roomwire.errors import ClientError, Forbidden, Internal, InvalidBody, Unauthenticated, Unavailable
from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.codec import packet_frames
from roomwire.recovery.decisions import recovery_request_of
from roomwire.recovery.sessions import Sessions
from roomwire.rooms.handshake import Authenticate, Handshake
from roomwire.rooms.registry import Member, Phase, Rooms, member_of
from roomwire.server.admissions import Admissions, Asked
from roomwire.server.events import EventServer
from roomwire.server.rates import EventRates

_VERDICTS: Final = frozenset({socketio.packet.CONNECT, socketio.packet.DISCONNECT})

_LONGEST_WATCH_S: Final = 60.0
"""How long an alarm about a client may outlive it."""

_log = get_logger(__name__)


class ConnectServer(EventServer):
    """Lets clients into namespaces and out of them; the rest is `Server`'s."""

    _metrics: Metrics
    _sessions: Sessions
    _authenticate: Authenticate
    _is_recovery_offered: bool | None
    _rates: EventRates
    _admissions: dict[str, Admissions]
    _count_connect: Callable[[], None]

    def member(self, sid: str, namespace: str = "/") -> Member:
        """Return what is known about a connected client.

        Raises:
            KeyError: There is no such client here.

        """
        rooms: Rooms = self.manager
        member = rooms.member(sid, namespace)
        if member is None:
            raise KeyError(sid)
        return member

    def renew(self, member: Member, user: User) -> None:
        """Let a client stay by a new token: with what that allows, until that expires.

        Args:
            member: The client.
            user: Whom the new token speaks for.

        Raises:
            Forbidden: It is somebody else's, or it expires sooner than the one that the client has.

        """
        if (user.kind, user.id) != (member.user.kind, member.user.id):
            raise Forbidden("The token is somebody else's.")
        if user.expires_at < member.user.expires_at:
            raise Forbidden("The token expires sooner than the present one.")
        member.user = user

    async def send_away(self, member: Member, error: ClientError) -> None:
        """Tell a client of an error by the event `exception`, then end its session: it cannot be recovered."""
        if member.phase is Phase.CONNECTED:
            self.answer_error(member, None, error)
            await self.disconnect(member.sid, namespace=member.namespace, ignore_queue=True)

    def send_away_all(self, whom: Callable[[User], bool], error: ClientError) -> None:
        """Send away every client here whose user `whom` says yes to; see `send_away`."""
        for connection in [*self.eio.sockets.values()]:
            for member in connection.members:
                if member.phase is Phase.CONNECTED and whom(member.user):
                    self.begin(self.send_away(member, error))

    def _watch_expiry(self, member: Member) -> None:
        """Send a client away when its token expires, unless it has another by then."""
        if member.user.expires_at:
            left_s = member.user.expires_at - time.time()
            # By its id: nothing of a client that has gone is kept until its token expires.
            alarm = partial(self._end_if_expired, member.sid, member.namespace, member.opened_at)
            self.eio.alarm_in(min(max(left_s, 0.0), _LONGEST_WATCH_S), alarm)

    def _end_if_expired(self, sid: str, namespace: str, opened_at: float, now: float) -> float | None:
        member: Member | None = self.manager.member(sid, namespace)
        if member is None or member.phase is not Phase.CONNECTED or member.opened_at != opened_at:
            # Gone, or recovered under its id: then it has an alarm of its own.
            return None
        left_s = member.user.expires_at - time.time()
        if left_s > 0:
            return now + min(left_s, _LONGEST_WATCH_S)
        _log.info("token expired", sid=sid, namespace=namespace, user=member.user.id)
        self.begin(self.send_away(member, Unauthenticated("The token has expired.")))
        return None

    async def _handle_eio_connect(self, eio_sid: str, environ: Mapping[str, Any]) -> None:
        if self._rates:
            address = Handshake(environ, None, proxies=self.eio.proxies).address
            self.eio.sockets[eio_sid].rates = self._rates.of_connection(address)
        await super()._handle_eio_connect(eio_sid, environ)
        self.expect_connect(eio_sid)

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it is in a namespace before long."""
        self.eio.alarm_in(self.eio.limits.connect_timeout_s, partial(self._close_if_silent, eio_sid))

    def _close_if_silent(self, eio_sid: str, _: float) -> None:
        connection = self.eio.find(eio_sid)
        if connection is not None and not connection.members:
            connection.close(Reason.TRANSPORT_ERROR, Bound.CONNECT_TIMEOUT)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        connection = self.eio.sockets.get(eio_sid)
        for member in () if connection is None else connection.members:
            member.note_lost()
        await super()._handle_eio_disconnect(eio_sid, reason)
        # Those whose verdict came while handlers of other namespaces were being told.
        for member in () if connection is None else connection.members:
            member.note_lost()
            await self._handle_disconnect(eio_sid, member.namespace, reason)
        # A header whose attachments never came, with what its client chose to put into it.
        self._binary_packet.pop(eio_sid, None)
        self._admissions.pop(eio_sid, None)

    def _serves(self, namespace: str) -> bool:
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or self.namespaces == "*"
            or namespace in self.namespaces
        )

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        connection: Connection | None = self.eio.find(eio_sid)
        if connection is None:
            return
        member = member_of(connection, pkt.namespace or "/")
        if pkt.packet_type == socketio.packet.CONNECT and member is not None and member.pid is not None:
            pkt.data = {**pkt.data, "pid": member.pid}
        if pkt.packet_type == socketio.packet.CONNECT_ERROR:
            await self._refuse(connection, pkt.namespace or "/", pkt.data)
            return
        # A verdict goes by what is held back until there is one.
        outlet = connection if member is None or pkt.packet_type in _VERDICTS else member.outlet
        self.eio.turn.put_all((outlet,), packet_frames(pkt))

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Connect a client to a namespace: the reply comes first, then what the connect handler emitted."""
        namespace = namespace or "/"
        connection: Connection | None = self.eio.find(eio_sid)
        if connection is None:
            return
        admissions = self._admissions_of(connection)
        if admissions.notes(namespace, data):
            return
        if admissions.is_full:
            self.eio.exceeded(Bound.REFUSED_CONNECTS)
            self._send_refusal(connection, namespace, {"message": "Too many refused connects"})
            return
        refusal = self._refusal_of(connection, namespace)
        if refusal is not None:
            await self._refuse(connection, namespace, refusal)
            return
        admissions.begin(namespace)
        member = member_of(connection, namespace)
        if member is not None and member.phase is Phase.PARTING:
            # Who is sent away waits for its disconnect handler; what else comes over the connection must not.
            self.begin(self._aside(connection, namespace, self._admit(connection, namespace, data)))
        else:
            await self._admit(connection, namespace, data)

    async def _aside(
        self, connection: Connection, namespace: str, connecting: Coroutine[Any, Any, None]
    ) -> None:
        """Connect a client in a task of its own; what fails ends the connection, as it does where its packets are read."""
        try:
            await connecting
        except Exception:
            _log.exception("connect failed", sid=connection.sid, namespace=namespace)
            connection.close(Reason.TRANSPORT_ERROR)

    def _refusal_of(self, connection: Connection, namespace: str) -> Any:
        """Return why a CONNECT is refused before anybody is asked about it; None if it is not."""
        if not self._serves(namespace):
            return {"message": "Invalid namespace"}
        others = [member for member in connection.members if member.namespace != namespace]
        if len(others) >= self.eio.limits.max_namespaces:
            self.eio.exceeded(Bound.NAMESPACES)
            return {"message": "Too many namespaces"}
        return None

    async def _admit(self, connection: Connection, namespace: str, asked: Any) -> None:
        """Do what a client asks for in a namespace, and what it has asked for meanwhile."""
        admissions = self._admissions_of(connection)
        try:
            while asked is not Asked.NOTHING and not connection.closed:
                await self._part_from_last(connection, namespace)
                asked = admissions.latest(namespace, asked)
                if asked is not Asked.LEAVE and not connection.closed:
                    await self._connect(Member("", namespace, connection), asked)
                asked = admissions.next(namespace)
        finally:
            admissions.end(namespace)
            if admissions.is_idle or connection.closed:
                self._admissions.pop(connection.sid, None)

    async def _part_from_last(self, connection: Connection, namespace: str) -> None:
        """Part from what a connection is in a namespace: a CONNECT says that its client knows nothing of that any more."""
        member = member_of(connection, namespace)
        if member is None:
            return
        if member.phase is Phase.PARTING:
            await self.manager.gone(member.sid)
        else:
            await super()._handle_disconnect(connection.sid, namespace, self.reason.CLIENT_DISCONNECT)

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str | None, reason: str | None = None
    ) -> None:
        admissions = self._admissions.get(eio_sid)
        is_alive = self.eio.find(eio_sid) is not None
        if admissions is None or not is_alive or not admissions.notes(namespace or "/", Asked.LEAVE):
            await super()._handle_disconnect(eio_sid, namespace, reason)

    def _admissions_of(self, connection: Connection) -> Admissions:
        found = self._admissions.get(connection.sid)
        if found is None:
            found = self._admissions[connection.sid] = Admissions(
                max_prompt_refusals=self.eio.limits.max_refused_connects
            )
        return found

    async def _connect(self, member: Member, data: Any) -> None:
        """Authenticate a client, give it its session, ask its connect handler, answer, and tell it what it missed."""
        connection, namespace = member.connection, member.namespace
        request = recovery_request_of(data, connection.environ, may_recover=self._offers_recovery(namespace))
        member.handshake = Handshake(connection.environ, request.auth, proxies=self.eio.proxies)
        try:
            refusal = await self._authenticated(member)
            if refusal is not None:
                await self._refuse(connection, namespace, refusal)
                return
            subject = "" if member.user.kind == "anonymous" else member.user.id
            missed = await self._sessions.begin(member, request, subject)
            if connection.sid not in self.environ:
                await self._withdraw(member)
                return
            await super()._handle_connect(connection.sid, namespace, request.auth)
        except Unavailable as error:
            # A refusal would keep the client away for good; a lost transport makes it come back.
            _log.warning("connect postponed", error=error.message, code=error.code)
            self._metrics.connects.labels(error.code).inc()
            await self._withdraw(member)
            self.eio.close(connection.sid, Reason.SERVER)
            return
        except (Exception, asyncio.CancelledError):
            # A replay that this version cannot read, say, or what carried the connection has ended in the middle
            # of the decision: nothing else would take the client out of its rooms.
            await self._withdraw(member)
            raise
        if member_of(connection, namespace) is not member:
            return  # refused: what was said to it meanwhile is nobody's
        self._watch_expiry(member)
        connection.rates = tuple(dict.fromkeys((*connection.rates, *self._rates.of_user(member.user))))
        member.release(missed)
        if member.recovered:
            # Its answer says that it has all that.
            connection.ping()
        if connection.closed and connection.sid not in self.environ:
            # The client left while it was being authenticated: nothing else would take it away.
            member.is_lost = True
            self.manager.pre_disconnect(member.sid, namespace)
            await self._trigger_event("disconnect", namespace, member.sid, self.reason.TRANSPORT_CLOSE)
            await self.manager.disconnect(member.sid, namespace, ignore_queue=True)

    def _offers_recovery(self, namespace: str) -> bool:
        """Say whether the clients of a namespace are offered recovery, as far as they know it.

        Where that was left open, functions are not told of it: their programs may not know that a client comes back under its
        id, and their clients may not expect another argument.
        """
        if self._is_recovery_offered is not None:
            return self._is_recovery_offered
        handler = self.namespace_handlers.get(namespace) or self.namespace_handlers.get("*")
        return namespace not in self.handlers and getattr(handler, "offers_recovery", False)

    async def _withdraw(self, member: Member) -> None:
        """Let go of a client that is not connected yet and will come again, or never."""
        member.is_lost = member.recovered
        self.manager.forget(member)
        await self._sessions.finish(member)

    async def _authenticated(self, member: Member) -> Any:
        """Find out who a client is; returns the refusal if nobody that may come in."""
        try:
            if not isinstance(member.handshake.auth, dict | None):
                raise InvalidBody("What a client brings as `auth` has to be an object.")
            member.user = await self._authenticate(member.handshake)
        except Unavailable:
            raise
        except ClientError as error:
            self._refused(member, error.code, error.message)
            return _refusal(error).error_args
        except Exception:
            _log.exception("authentication failed", namespace=member.namespace)
            self._refused(member, Internal.code)
            return _refusal(Internal()).error_args
        return None

    async def _refuse(self, connection: Connection, namespace: str, refusal: Any) -> None:
        """Refuse a client a namespace: at once, or, where it has been refused often, later and later."""
        delay_s = self._admissions_of(connection).refuse(namespace)
        if not delay_s:
            self._send_refusal(connection, namespace, refusal)
            return
        self.eio.exceeded(Bound.REFUSED_CONNECTS)
        self.eio.alarm_in(delay_s, partial(self._answer_late, connection.sid, namespace, refusal))

    def _answer_late(self, eio_sid: str, namespace: str, refusal: Any, _: float) -> None:
        connection = self.eio.find(eio_sid)
        if connection is None:
            return
        asked = self._admissions_of(connection).answer(namespace)
        if asked is Asked.NOTHING:
            self._send_refusal(connection, namespace, refusal)
        elif asked is not Asked.LEAVE:
            connecting = self._handle_connect(eio_sid, namespace, asked)
            self.begin(self._aside(connection, namespace, connecting))

    def _send_refusal(self, connection: Connection, namespace: str, refusal: Any) -> None:
        packet = self.packet_class(socketio.packet.CONNECT_ERROR, data=refusal, namespace=namespace)
        self.eio.turn.put_all((connection,), packet_frames(packet))

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        if event == "connect":
            return await self._accept(namespace, *args)
        if event == "disconnect":
            return await self._part(namespace, *args)
        return await super()._trigger_event(event, namespace, *args)

    async def _accept(self, namespace: str, sid: str, environ: Mapping[str, Any], auth: Any = None) -> Any:
        """Run the connect handler; a `ClientError` of it becomes the refusal."""
        member = self.member(sid, namespace)
        if member.recovered:
            # Another namespace's client on this connection may be new.
            environ = {**environ, "roomwire.recovered": True}
        try:
            accepted = await self._run_connect_handler(namespace, sid, environ, auth)
        except Unavailable:
            raise
        except ClientError as error:
            self._refused(member, error.code)
            raise _refusal(error) from None
        except (socketio.exceptions.ConnectionRefusedError, ConnectionRefusedError) as error:
            # python-socketio takes Python's own exception of this name for a refusal, too.
            self._refused(member, "refused")
            if not self._can_be_told(error):
                raise _refusal(Internal()) from None
            raise
        except Exception:
            _log.exception("connect handler failed", sid=sid, namespace=namespace)
            self._refused(member, Internal.code)
            raise _refusal(Internal()) from None
        if accepted is False:
            self._refused(member, "refused")
            return False
        member.opened_at = time.monotonic()
        self._count_connect()
        _log.info(
            "connection opened",
            sid=sid,
            namespace=namespace,
            user=member.user.id,
            kind=member.user.kind,
            recovered=member.recovered,
            address=member.handshake.address,
        )
        return accepted

    def _can_be_told(self, refusal: Exception) -> bool:
        """Say whether a client can be told what a handler refuses it with: binary, say, cannot be in a refusal."""
        try:
            self.packet_class(
                socketio.packet.CONNECT_ERROR, data=getattr(refusal, "error_args", None)
            ).encode()
        except (TypeError, ValueError, RecursionError):
            _log.exception("refusal cannot be sent")
            return False
        return True

    async def _run_connect_handler(
        self, namespace: str, sid: str, environ: Mapping[str, Any], auth: Any
    ) -> Any:
        try:
            return await super()._trigger_event("connect", namespace, sid, environ, auth)
        except TypeError as error:
            if auth:
                raise
            # As stock does: a connect handler of python-socketio may do without `auth`.
            try:
                return await super()._trigger_event("connect", namespace, sid, environ)
            except TypeError:
                raise error from None

    def _refused(self, member: Member, code: str, reason: str = "") -> None:
        self._metrics.connects.labels(code).inc()
        about = {"reason": reason} if reason else {}
        _log.info("connection refused", sid=member.sid, namespace=member.namespace, code=code, **about)

    async def _part(self, namespace: str, sid: str, reason: str) -> Any:
        # Events that came in the same payload have tasks that have not begun yet: they come first.
        await asyncio.sleep(0)
        try:
            return await super()._trigger_event("disconnect", namespace, sid, reason)
        except Exception:
            # Raised further, it would leave the socket in its rooms for good.
            _log.exception("disconnect handler failed", sid=sid, namespace=namespace)
        finally:
            self._metrics.disconnects.labels(reason).inc()
            member = self.manager.member(sid, namespace)
            if member is not None and member.opened_at:
                _log.info(
                    "connection closed",
                    sid=sid,
                    namespace=namespace,
                    user=member.user.id,
                    reason=reason,
                    events=member.events,
                    duration_s=round(time.monotonic() - member.opened_at, 3),
                )


def _refusal(error: ClientError) -> Any:
    """Return what makes python-socketio refuse a connection, with the error as the refusal's data."""
    return socketio.exceptions.ConnectionRefusedError(error.message, dict(error.details()))
