"""Runs the application's connect and disconnect handlers; counts and logs them, whatever they raise."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import socketio

from roomwire.errors import ClientError, Internal, NestedTooDeeply, Unavailable
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.codec import Packet
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member
from roomwire.server.clients import Clients
from roomwire.server.stock import StockSteps

_log = get_logger(__name__)


class Lifecycle:
    """Runs the connect and disconnect handlers.

    Args:
        clients: The clients.
        rooms: The rooms and their members.
        packet_class: The packets for refusals.
        left: Called when a client leaves, with the reason.
        stock: python-socketio's own steps.
        metrics: Counts connects and disconnects.
        refused_in_span: Notes in the span of a connection the code with which it is refused. None means that there are no spans.
        clock: Monotonic seconds.

    """

    def __init__(
        self,
        clients: Clients,
        *,
        rooms: Rooms,
        packet_class: type[Packet],
        left: Callable[[Member, str], None],
        stock: StockSteps,
        metrics: Metrics,
        refused_in_span: Callable[[str], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self._clients = clients
        self._rooms = rooms
        self._packet_class = packet_class
        self._left = left
        self._run_handler = stock.run_handler
        self._metrics = metrics
        self._refused_in_span = refused_in_span
        self._clock = clock
        self._count_connect = metrics.connects.labels("ok").inc

    def trigger(self, event: str, namespace: str, *args: Any) -> Awaitable[object]:
        """Run the handler of an event. Connect and disconnect handlers run with their counts and log lines."""
        if event == "connect":
            return self._accept(namespace, *args)
        if event == "disconnect":
            return self._part(namespace, *args)
        return self._run_handler(event, namespace, *args)

    def refused(self, member: Member, code: str, reason: str = "") -> None:
        """Count and log that a client was refused."""
        self._count_refused(code)
        about = {"reason": reason} if reason else {}
        _log.info("connection refused", sid=member.sid, namespace=member.namespace, code=code, **about)

    def postponed(self, error: Unavailable) -> None:
        """Count and log that a client must connect again."""
        # A refusal would keep the client away for good; after a lost transport it reconnects.
        _log.warning("connect postponed", error=error.message, code=error.code)
        self._count_refused(error.code)

    def _count_refused(self, code: str) -> None:
        self._metrics.connects.labels(code).inc()
        if self._refused_in_span is not None:
            self._refused_in_span(code)

    async def _accept(
        self, namespace: str, sid: str, environ: Mapping[str, object], auth: object = None
    ) -> object:
        """Run the connect handler. Its `ClientError` becomes the refusal."""
        member = self._clients.member(sid, namespace)
        if member.recovered:
            # Another namespace's client on this connection may be new.
            environ = {**environ, "roomwire.recovered": True}
        try:
            accepted = await self._run_connect_handler(namespace, sid, environ, auth)
        except Unavailable:
            raise
        except ClientError as error:
            self.refused(member, error.code)
            raise refusal_of(error) from None
        except (socketio.exceptions.ConnectionRefusedError, ConnectionRefusedError) as error:
            # python-socketio treats Python's own exception of this name as a refusal as well.
            self.refused(member, "refused")
            if not self._can_be_told(error):
                raise refusal_of(Internal()) from None
            raise
        except Exception:
            _log.exception("connect handler failed", sid=sid, namespace=namespace)
            self.refused(member, Internal.code)
            raise refusal_of(Internal()) from None
        if accepted is False:
            self.refused(member, "refused")
            return False
        member.opened_at = self._clock()
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
        """Return whether a handler's refusal can be sent; a refusal cannot contain bytes, for example."""
        try:
            self._packet_class(
                socketio.packet.CONNECT_ERROR, data=getattr(refusal, "error_args", None)
            ).encode()
        except (TypeError, ValueError, NestedTooDeeply):
            _log.exception("refusal cannot be sent")
            return False
        return True

    async def _run_connect_handler(
        self, namespace: str, sid: str, environ: Mapping[str, object], auth: object
    ) -> object:
        try:
            return await self._run_handler("connect", namespace, sid, environ, auth)
        except TypeError as error:
            if auth:
                raise
            # As in python-socketio, a connect handler may omit `auth`.
            try:
                return await self._run_handler("connect", namespace, sid, environ)
            except TypeError:
                raise error from None

    async def _part(self, namespace: str, sid: str, reason: str) -> object:
        leaving: Member | None = self._rooms.member(sid, namespace)
        if leaving is not None:
            self._left(leaving, reason)
        # Tasks of events from the same payload have not begun yet; they run first.
        await asyncio.sleep(0)
        try:
            return await self._run_handler("disconnect", namespace, sid, reason)
        except Exception:
            # If it were raised further, the socket would stay in its rooms for good.
            _log.exception("disconnect handler failed", sid=sid, namespace=namespace)
            return None
        finally:
            self._metrics.disconnects.labels(reason).inc()
            member: Member | None = self._rooms.member(sid, namespace)
            if member is not None and member.opened_at:
                _log.info(
                    "connection closed",
                    sid=sid,
                    namespace=namespace,
                    user=member.user.id,
                    reason=reason,
                    events=member.events,
                    duration_s=round(self._clock() - member.opened_at, 3),
                )


def refusal_of(error: ClientError) -> Any:
    """Return the exception with which python-socketio refuses a connection; its data are the error."""
    return socketio.exceptions.ConnectionRefusedError(error.message, dict(error.details()))
