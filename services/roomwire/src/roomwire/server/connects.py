"""The server's connections: from a CONNECT to the decision about it, and to their end."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

import socketio

from roomwire.engine.connection import Connection
from roomwire.engine.session import Reason
from roomwire.engine.turn import Turn
from roomwire.errors import AuthTooLarge, ClientError, Internal, InvalidBody, InvalidNamespace, Unavailable
from roomwire.limits import costs
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.logs import get_logger
from roomwire.protocol.codec import Packet, packet_frames
from roomwire.protocol.sources import Proxies
from roomwire.recovery.decisions import recovery_request_of, subject_of
from roomwire.recovery.sessions import Sessions
from roomwire.recovery.tenures import Tenures
from roomwire.rooms.handshake import Authenticate, Handshake
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase, member_of, members_of
from roomwire.rooms.order import Order
from roomwire.server.admissions import Admissions, Asked
from roomwire.server.backlogs import Backlogs
from roomwire.server.charges import Charges
from roomwire.server.clients import Clients
from roomwire.server.dynamic import DynamicNamespaces
from roomwire.server.lifecycle import Lifecycle, refusal_of
from roomwire.server.rates import EventRates
from roomwire.server.stock import Stock, StockSteps

_LONGEST_WAIT_S: Final = 5.0
"""The maximum delay of the decision about a client that connects too often."""
_VERDICTS: Final = frozenset({socketio.packet.CONNECT, socketio.packet.DISCONNECT})

_log = get_logger(__name__)


class Connects:
    """Connects clients to namespaces, and disconnects them.

    Args:
        server: The server to which clients connect.
        rooms: The clients.
        clients: Watches the connected clients.
        lifecycle: Runs the handlers of connects and disconnects.
        sessions: Opens or recovers the clients' sessions.
        tenures: Releases the sessions.
        authenticate: Identifies a client, or refuses it.
        rates: The rate limits of events.
        charges: Charges them.
        forget_incomplete: Drops an event of a connection whose attachments did not arrive.
        backlogs: The events that are not handled yet.
        packet_class: The packets with the server's limits.
        limits: The limits of one client.
        proxies: The trusted proxies.
        turn: Collects frames.
        order: Keeps what bypasses the log behind what was published.
        exceeded: Counts an exceeded limit.
        begin: Starts a task.
        is_recovery_offered: Whether clients that support recovery are offered it. None lets the namespace decide.
        dynamic: The namespaces of patterns.
        stock: python-socketio's own steps.

    """

    def __init__(
        self,
        server: Stock,
        *,
        rooms: Rooms,
        clients: Clients,
        lifecycle: Lifecycle,
        sessions: Sessions,
        tenures: Tenures,
        authenticate: Authenticate,
        rates: EventRates,
        forget_incomplete: Callable[[str], None],
        backlogs: Backlogs,
        charges: Charges,
        packet_class: type[Packet],
        limits: Limits,
        proxies: Proxies,
        turn: Turn,
        order: Order,
        exceeded: Callable[[Bound], None],
        begin: Callable[[Coroutine[object, object, object]], object],
        is_recovery_offered: bool | None,
        dynamic: DynamicNamespaces,
        stock: StockSteps,
    ) -> None:
        self._server = server
        self._rooms = rooms
        self._clients = clients
        self._lifecycle = lifecycle
        self._sessions = sessions
        self._tenures = tenures
        self._authenticate = authenticate
        self._rates = rates
        self._forget_incomplete = forget_incomplete
        self._backlogs = backlogs
        self._charges = charges
        self._packet_class = packet_class
        self._limits = limits
        self._proxies = proxies
        self._turn = turn
        self._order = order
        self._exceeded = exceeded
        self._begin = begin
        self._is_recovery_offered = is_recovery_offered
        self._dynamic = dynamic
        self._stock = stock
        self.admissions: dict[str, Admissions] = {}

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended."""
        self.admissions.clear()

    async def open(self, eio_sid: str, environ: Mapping[str, object]) -> None:
        """Accept a connection, which must connect to a namespace in time."""
        if self._rates:
            address = Handshake(environ, None, proxies=self._proxies).address
            self._server.eio.sockets[eio_sid].rates = self._rates.of_connection(address)
        await self._stock.open(eio_sid, environ)
        self.expect_connect(eio_sid)

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it connects to a namespace in time."""
        self._server.eio.alarm_in(self._limits.connect_timeout_s, partial(self._close_if_silent, eio_sid))

    def _close_if_silent(self, eio_sid: str, _: float) -> None:
        connection = self._server.eio.find(eio_sid)
        if connection is not None and not connection.members:
            connection.close(Reason.TRANSPORT_ERROR, Bound.CONNECT_TIMEOUT)

    async def close(self, eio_sid: str, reason: str) -> None:
        """Remove all members of a connection that has ended."""
        connection = self._server.eio.sockets.get(eio_sid)
        for member in () if connection is None else members_of(connection):
            member.note_lost()
        await self._stock.close(eio_sid, reason)
        # Members whose decision came while handlers of other namespaces were running.
        for member in () if connection is None else members_of(connection):
            member.note_lost()
            await self.leave(eio_sid, member.namespace, reason)
        # A header whose attachments never arrived, with the data that its client put into it.
        self._forget_incomplete(eio_sid)
        self.admissions.pop(eio_sid, None)

    def serves(self, namespace: str) -> bool:
        """See `Server.serves`. `InvalidNamespace` is raised for a name that only the pattern would allow."""
        return (
            namespace in self._server.handlers
            or namespace in self._server.namespace_handlers
            or namespace in self._server.namespaces
            or self._dynamic.serves(namespace)
            or self._server.namespaces == "*"
        )

    async def send(self, eio_sid: str, pkt: Any) -> None:
        """Send one of python-socketio's packets, which may be the decision about a client."""
        connection = self._server.eio.find(eio_sid)
        if connection is None:
            return
        member = member_of(connection, pkt.namespace or "/")
        if pkt.packet_type == socketio.packet.CONNECT and member is not None and member.pid is not None:
            pkt.data = {**pkt.data, "pid": member.pid}
        if pkt.packet_type == socketio.packet.CONNECT_ERROR:
            await self._refuse(connection, pkt.namespace or "/", pkt.data)
            return
        if member is not None and pkt.packet_type not in _VERDICTS:
            self._order.send(member, packet_frames(pkt))
            return
        if pkt.packet_type == socketio.packet.DISCONNECT and member is not None and member.is_released:
            # It follows what was published, and its caller with it: after the call the client is gone.
            await self._order.wait(member)
        # The decision bypasses the frames that wait for it.
        self._turn.put_all((connection,), packet_frames(pkt))

    async def connect(self, eio_sid: str, namespace: str, data: object) -> None:
        """Connect a client to a namespace: the reply comes first, then the events that the connect handler emitted."""
        connection = self._server.eio.find(eio_sid)
        if connection is None:
            return
        admissions = self._admissions_of(connection)
        if admissions.notes(namespace, data):
            # What came before it was for the client that this one replaces.
            self._backlogs.drop_early(connection, namespace)
            return
        if admissions.is_full:
            self._exceeded(Bound.REFUSED_CONNECTS)
            self._send_refusal(connection, namespace, {"message": "Too many refused connects"})
            return
        refusal = self._refusal_of(connection, namespace)
        if refusal is not None:
            await self._refuse(connection, namespace, refusal)
            return
        admissions.begin(namespace)
        member = member_of(connection, namespace)
        if member is not None and member.phase is Phase.PARTING:
            # A client that is being disconnected waits for its disconnect handler; the rest of the connection must not wait.
            self._begin(self._aside(connection, namespace, self._admit(connection, namespace, data)))
        else:
            await self._admit(connection, namespace, data)

    async def _aside(
        self, connection: Connection, namespace: str, connecting: Coroutine[object, object, None]
    ) -> None:
        """Connect a client in a task of its own. A failure ends the connection, as it does where its packets are read."""
        try:
            await connecting
        except Exception:
            _log.exception("connect failed", sid=connection.sid, namespace=namespace)
            connection.close(Reason.TRANSPORT_ERROR)

    def _refusal_of(self, connection: Connection, namespace: str) -> object:
        """Return the reason to refuse a CONNECT before its authentication, or None."""
        try:
            if not self.serves(namespace):
                return {"message": "Invalid namespace"}
        except InvalidNamespace as error:
            return refusal_of(error).error_args
        others = [member for member in members_of(connection) if member.namespace != namespace]
        if len(others) >= self._limits.max_namespaces:
            self._exceeded(Bound.NAMESPACES)
            return {"message": "Too many namespaces"}
        return None

    async def _pay(self, connection: Connection) -> None:
        """Charge a CONNECT to the rates of its connection, unless it may be the first one of its namespace.

        If the rates are exceeded, the decision is delayed, rather than a refusal: official clients do not try again.
        """
        connection.connects += 1
        if connection.connects <= self._limits.max_namespaces:
            return
        bound, delay_s = self._charges.wait_of(connection)
        if bound is not None:
            self._exceeded(bound)
            await asyncio.sleep(min(delay_s, _LONGEST_WAIT_S))
        self._charges.charge(connection, costs.CONNECT)

    async def _admit(self, connection: Connection, namespace: str, asked: object) -> None:
        """Perform a client's request in a namespace, and the requests that arrived in the meantime."""
        admissions = self._admissions_of(connection)
        try:
            while asked is not Asked.NOTHING and not connection.closed:
                await self._part_from_last(connection, namespace)
                asked = admissions.latest(namespace, asked)
                if asked is not Asked.LEAVE and not connection.closed:
                    await self._pay(connection)
                    await self._decide(Member("", namespace, connection), asked)
                asked = admissions.next(namespace)
        finally:
            admissions.end(namespace)
            self._backlogs.drop_early(connection, namespace)
            if admissions.is_idle or connection.closed:
                self.admissions.pop(connection.sid, None)

    async def _part_from_last(self, connection: Connection, namespace: str) -> None:
        """Remove the member of a connection in a namespace, because a new CONNECT shows that its client has forgotten it."""
        member = member_of(connection, namespace)
        if member is None:
            return
        if member.phase is Phase.PARTING:
            await self._rooms.gone(member.sid)
        else:
            await self._stock.leave(connection.sid, namespace, self._server.reason.CLIENT_DISCONNECT)

    async def leave(self, eio_sid: str, namespace: str, reason: str | None = None) -> None:
        """Disconnect a client from a namespace. While the decision about it is pending, this becomes its next request."""
        admissions = self.admissions.get(eio_sid)
        is_alive = self._server.eio.find(eio_sid) is not None
        if admissions is None or not is_alive or not admissions.notes(namespace, Asked.LEAVE):
            await self._stock.leave(eio_sid, namespace, reason)

    def is_connecting(self, connection: Connection, namespace: str) -> bool:
        """Return whether the decision about a connection in a namespace is pending."""
        admissions = self.admissions.get(connection.sid)
        return admissions is not None and admissions.is_deciding(namespace)

    def _admissions_of(self, connection: Connection) -> Admissions:
        found = self.admissions.get(connection.sid)
        if found is None:
            found = self.admissions[connection.sid] = Admissions(
                max_prompt_refusals=self._limits.max_refused_connects
            )
        return found

    async def _decide(self, member: Member, data: object) -> None:
        """Connect a client or refuse it."""
        try:
            await self._connect(member, data)
        finally:
            if self._rooms.member(member.sid, member.namespace) is not member:
                # Nothing else would tell that it is gone.
                self._dynamic.leave(member)

    async def _connect(self, member: Member, data: object) -> None:
        """Authenticate a client, open its session, run its connect handler, answer, and replay what it missed."""
        connection, namespace = member.connection, member.namespace
        request = recovery_request_of(data, connection.environ, may_recover=self._offers_recovery(namespace))
        member.handshake = Handshake(
            connection.environ, request.auth, proxies=self._proxies, namespace=namespace
        )
        try:
            refusal = await self._authenticated(member)
            if refusal is not None:
                await self._refuse(connection, namespace, refusal)
                return
            missed = await self._sessions.begin(member, request, subject_of(member.user))
            if connection.sid not in self._server.environ:
                await self._withdraw(member)
                return
            await self._stock.connect(connection.sid, namespace, request.auth)
        except Unavailable as error:
            self._lifecycle.postponed(error)
            await self._withdraw(member)
            self._server.eio.close(connection.sid, Reason.SERVER)
            return
        except (Exception, asyncio.CancelledError):
            # For example, this version cannot read a replay, or the transport has ended in the middle of the decision.
            # Nothing else would remove the client from its rooms.
            await self._withdraw(member)
            raise
        if member_of(connection, namespace) is not member:
            member.drop_held()  # refused: the events for it in the meantime have no receiver
            return
        connection.account.identify(member.user.kind, member.user.id)
        member.handshake.forget_token()
        connection.keep_auth(sum(one.handshake.auth_bytes for one in members_of(connection)))
        self._clients.watch_expiry(member)
        rates = (*connection.rates, *self._rates.of_user(member.user))
        connection.rates = self._rates.of_class(rates, connection.account)
        member.release(missed)
        self._charges.answered(connection, missed)
        self._backlogs.connected(member)
        if member.recovered:
            # Its answer confirms all of that.
            connection.ping()
        if connection.closed and connection.sid not in self._server.environ:
            # The client left during its authentication; nothing else would remove it.
            member.is_lost = True
            self._rooms.pre_disconnect(member.sid, namespace)
            await self._stock.trigger(
                "disconnect", namespace, member.sid, self._server.reason.TRANSPORT_CLOSE
            )
            await self._rooms.disconnect(member.sid, namespace, ignore_queue=True)

    def _offers_recovery(self, namespace: str) -> bool:
        """Return whether clients of a namespace that support recovery are offered it.

        If the server leaves it to the namespace, function handlers do not offer it: their programs may not expect that a client
        returns under its id, and their clients may not expect another argument.
        """
        if self._is_recovery_offered is not None:
            return self._is_recovery_offered
        handler = self._dynamic.handler_of(namespace)
        return namespace not in self._server.handlers and getattr(handler, "offers_recovery", False)

    async def _withdraw(self, member: Member) -> None:
        """Release a client that is not connected yet and will connect again, or never."""
        member.is_lost = member.recovered
        member.drop_held()
        self._rooms.forget(member)
        await self._tenures.finish(member)

    async def _authenticated(self, member: Member) -> object:
        """Authenticate a client; return the refusal if it is not admitted."""
        try:
            if member.handshake.auth is Asked.TOO_LARGE or (
                member.handshake.auth_bytes > self._limits.max_auth_bytes
            ):
                self._exceeded(Bound.AUTH_BYTES)
                raise AuthTooLarge(self._limits.max_auth_bytes)
            if not isinstance(member.handshake.auth, dict | None):
                raise InvalidBody("`auth` must be an object.")
            member.user = await self._authenticate(member.handshake)
            self._dynamic.admit(member)
        except Unavailable:
            raise
        except ClientError as error:
            self._lifecycle.refused(member, error.code, error.message)
            return refusal_of(error).error_args
        except Exception:
            _log.exception("authentication failed", namespace=member.namespace)
            self._lifecycle.refused(member, Internal.code)
            return refusal_of(Internal()).error_args
        return None

    async def _refuse(self, connection: Connection, namespace: str, refusal: object) -> None:
        """Refuse a client a namespace, immediately or, after several refusals, with growing delays."""
        delay_s = self._admissions_of(connection).refuse(namespace)
        if not delay_s:
            self._send_refusal(connection, namespace, refusal)
            return
        self._exceeded(Bound.REFUSED_CONNECTS)
        self._server.eio.alarm_in(delay_s, partial(self._answer_late, connection.sid, namespace, refusal))

    def _answer_late(self, eio_sid: str, namespace: str, refusal: object, _: float) -> None:
        connection = self._server.eio.find(eio_sid)
        if connection is None:
            return
        asked = self._admissions_of(connection).answer(namespace)
        if asked is Asked.NOTHING:
            self._send_refusal(connection, namespace, refusal)
        elif asked is not Asked.LEAVE:
            connecting = self.connect(eio_sid, namespace, asked)
            self._begin(self._aside(connection, namespace, connecting))

    def _send_refusal(self, connection: Connection, namespace: str, refusal: object) -> None:
        packet = self._packet_class(socketio.packet.CONNECT_ERROR, data=refusal, namespace=namespace)
        self._turn.put_all((connection,), packet_frames(packet))
