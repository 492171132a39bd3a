"""Performs the messages of emitters on the server, as if a gateway had asked for them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from roomwire.app.nodejs.errors import Reason, Refused
from roomwire.app.nodejs.messages import (
    Audience,
    Broadcast,
    Disconnect,
    Join,
    Leave,
    Message,
    Room,
    ServerSide,
    namespace_of,
)
from roomwire.cluster.results import Changed
from roomwire.errors import ClientError, OutcomeUnknown, Unavailable
from roomwire.logs import get_logger
from roomwire.metrics.nodejs import EmitterMetrics
from roomwire.server import Server

REQUEST_S: Final = 2.0
"""The seconds that each gateway has for a request about its clients."""

_log = get_logger(__name__)


class Speaker:
    """Performs messages, and counts what becomes of them.

    Args:
        server: The server of this gateway.
        metrics: Counts messages.

    """

    def __init__(self, server: Server, metrics: EmitterMetrics) -> None:
        self._server = server
        self._metrics = metrics
        self._logged: set[str] = set()

    def read(self, parse: Callable[[], Message | None], where: str) -> Message | None:
        """Return what a parser returns, or None if it refuses, or if this gateway does not serve the message's namespace.

        Args:
            parse: The parser, which may raise `Refused`.
            where: Where the message came from, for the log.

        """
        try:
            message = parse()
            if message is not None and not self._server.serves(namespace_of(message)):
                raise Refused(Reason.NAMESPACE)
        except Refused as refused:
            self.refuse(refused.reason, where)
            return None
        return message

    def refuse(self, reason: Reason, where: str, error: BaseException | None = None) -> None:
        """Count a message that is not performed, and log the first of each reason."""
        self._metrics.refused.labels(reason.value).inc()
        if reason.value not in self._logged:
            self._logged.add(reason.value)
            about = {} if error is None else {"error": repr(error)}
            _log.warning("message of a Node emitter refused", reason=reason.value, where=where, **about)

    def lose(self, reason: str, number: int = 1, **about: object) -> None:
        """Count messages that are lost, and log the first of each reason."""
        self._metrics.lost.labels(reason).inc(number)
        if reason not in self._logged:
            self._logged.add(reason)
            _log.warning("messages of Node emitters lost", reason=reason, number=number, **about)

    async def broadcast(self, messages: Sequence[tuple[Broadcast, str]]) -> Sequence[BaseException | None]:
        """Publish events in their order, together; return what became of each.

        An event that can never be published is refused, and None like one that is in the log; the exceptions are `Unavailable` and
        `OutcomeUnknown`.

        Args:
            messages: The events, each with its message id, which is also where it came from. An empty id means none.

        """
        emits = (self._emit(message, message_id) for message, message_id in messages)
        outcomes = await asyncio.gather(*emits, return_exceptions=True)
        failures: list[BaseException | None] = []
        for (message, message_id), outcome in zip(messages, outcomes, strict=True):
            if isinstance(outcome, Unavailable | OutcomeUnknown):
                failures.append(outcome)
                continue
            failures.append(None)
            if isinstance(outcome, Exception):
                self.refuse(Reason.FAILED, message_id or message.audience.namespace, outcome)
            elif outcome is None:
                self._metrics.messages.labels("volatile" if message.is_volatile else "broadcast").inc()
            else:
                raise outcome
        return failures

    async def perform(self, message: Message, where: str) -> None:
        """Perform another message than an event in the log; return when all gateways have done so or had their time.

        Raises:
            Unavailable: The gateways cannot be listed; nothing was done.

        """
        try:
            changed = await self._perform(message)
        except Unavailable:
            raise
        except (ClientError, ValueError, TypeError, OverflowError) as error:
            self.refuse(Reason.FAILED, where, error)
            return
        for one in changed:
            if one.missing or one.failed:
                self.lose("unperformed", where=where, missing=one.missing, failed=one.failed)
        self._metrics.messages.labels(_KINDS[type(message)]).inc()

    async def _emit(self, message: Broadcast, message_id: str) -> None:
        audience = message.audience
        await self._server.emit(
            message.event,
            message.arguments,
            to=_target(audience.rooms),
            namespace=audience.namespace,
            except_rooms=[*audience.except_rooms] or None,
            message_id="" if message.is_volatile else message_id,
            volatile=message.is_volatile,
        )

    async def _perform(self, message: Message) -> Sequence[Changed]:
        if isinstance(message, Broadcast):
            await self._emit(message, "")
            return ()
        if isinstance(message, ServerSide):
            await self._server.server_side_emit(
                message.event,
                *message.arguments,
                namespace=message.namespace,
                timeout_s=REQUEST_S,
                includes_self=True,
            )
            return ()
        namespace, target = message.audience.namespace, await self._clients(message.audience)
        if target == []:
            return ()
        if isinstance(message, Disconnect):
            return [await self._server.disconnect_sockets(target, namespace=namespace, timeout_s=REQUEST_S)]
        change = self._server.sockets_join if isinstance(message, Join) else self._server.sockets_leave
        return [
            await change(target, other, namespace=namespace, timeout_s=REQUEST_S) for other in message.others
        ]

    async def _clients(self, audience: Audience) -> object:
        """Return the target of an operation, which itself knows no exceptions: with these, the ids of the clients."""
        target = _target(audience.rooms)
        if not audience.except_rooms:
            return target
        excepted = {*audience.except_rooms}
        found = await self._server.fetch_sockets(target, namespace=audience.namespace, timeout_s=REQUEST_S)
        if not found.is_complete:
            self.lose("unperformed", found.total - len(found.sockets) or 1, missing=found.missing)
        return [one.sid for one in found.sockets if not excepted & {one.sid, *one.rooms}]


def _target(rooms: Sequence[Room]) -> object:
    """Return the target of an emit. A list of one stands for a room whose name counts as no room: the empty text, and 0."""
    if not rooms:
        return None
    return rooms[0] if len(rooms) == 1 and rooms[0] else [*rooms]


_KINDS: Final = {
    Broadcast: "volatile",
    Join: "join",
    Leave: "leave",
    Disconnect: "disconnect",
    ServerSide: "server_side",
}
