"""The client for asyncio."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from socketio import exceptions, packet

from roomwire.client.engines import AsyncEngine
from roomwire.client.packages import require
from roomwire.client.receiver import Receiver
from roomwire.client.recovery import ANSWER_S, Arrival, Sessions

if TYPE_CHECKING:
    from roomwire.client.surface import AsyncBase
else:
    from socketio import AsyncClient as AsyncBase


class AsyncClient(Receiver, AsyncBase):
    """`socketio.AsyncClient` with connection state recovery; it takes the same options.

    After a lost connection, the client asks the server to continue its sessions. If the server can, the handlers receive what the
    client missed, each event once and in order, and `recovered` is true. If the server cannot, a new session begins, `recovered`
    is false, and events may be missing. Handlers receive the arguments that the server sent, without the offset.

    A handler begins after those of all earlier events have begun. As in python-socketio, the next one does not wait for its end.

    Raises:
        PackageMissing: aiohttp is not installed; `roomwire[client]` brings it.

    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        require(aiohttp="aiohttp")
        self._sessions = Sessions()
        self._connecting: asyncio.Task[Any] | None = None
        self._is_reconnecting = False
        self._handling: set[asyncio.Task[None]] = set()
        super().__init__(*arguments, **options)

    async def connect(
        self,
        url: str | Callable[[], str] | Callable[[], Awaitable[str]],
        headers: Mapping[str, str]
        | Callable[[], Mapping[str, str]]
        | Callable[[], Awaitable[Mapping[str, str]]]
        | None = None,
        auth: object = None,
        transports: str | list[str] | None = None,
        namespaces: str | list[str] | None = None,
        socketio_path: str = "socket.io",
        wait: bool = True,  # noqa: FBT001, FBT002 - python-socketio's signature
        wait_timeout: float = 1,
        retry: bool = False,  # noqa: FBT001, FBT002 - python-socketio's signature
    ) -> None:
        """Connect to a server; the parameters are python-socketio's.

        The client's sessions survive a failed attempt, so that the next one can recover them.

        Raises:
            socketio.exceptions.ConnectionError: The connection failed, or the server refused a namespace.

        """
        outer, self._connecting = self._connecting, asyncio.current_task()
        try:
            await super().connect(
                url,
                headers={} if headers is None else headers,
                auth=auth,
                transports=transports,
                namespaces=namespaces,
                socketio_path=socketio_path,
                wait=wait,
                wait_timeout=max(wait_timeout, ANSWER_S) if self._is_reconnecting else wait_timeout,
                retry=retry,
            )
        finally:
            self._connecting = outer
        if self.eio.state != "connected":
            self.connected, self.namespaces = False, {}
            raise exceptions.ConnectionError("The connection was lost before it was complete")

    async def disconnect(self) -> None:
        """Disconnect from the server; this ends the sessions."""
        if self._connecting is not None and self._connecting is asyncio.current_task():
            # `connect` gives up an attempt: the sessions that it has recovered live on.
            await self.eio.disconnect()
            return
        for namespace in self.namespaces:
            self._sessions.of(namespace).end()
        await super().disconnect()

    def _engineio_client_class(self) -> type[AsyncEngine]:
        return AsyncEngine

    async def _handle_eio_connect(self) -> None:
        self.sid = self.eio.sid
        auth = await self._get_real_value(self.connection_auth) or {}
        for namespace in self.connection_namespaces:
            payload = self._sessions.of(namespace).payload(auth)
            await self._send_packet(self.packet_class(packet.CONNECT, data=payload, namespace=namespace))

    def _handle_eio_message(self, data: str | bytes) -> None:
        received = self._received(data)
        if received is not None:
            pkt, arrival = received
            task = asyncio.create_task(self._handle(self._handler_of(pkt), arrival))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

    async def _handle(self, handler: Callable[[], Awaitable[None]], arrival: Arrival | None) -> None:
        with contextlib.nullcontext() if arrival is None else arrival.handled():
            await handler()

    async def _handle_eio_disconnect(self, reason: str) -> None:
        if self._connecting is None or self.connected:
            await super()._handle_eio_disconnect(reason)
            return
        # `connect` waits for answers that do not come any more; it raises the error.
        self.callbacks, self.sid, self._binary_packet = {}, None, None
        self.failed_namespaces = [name for name in self.connection_namespaces if name not in self.namespaces]
        self._connect_event.set()

    async def _handle_reconnect(self) -> None:
        outer, self._is_reconnecting = self._is_reconnecting, True
        try:
            await super()._handle_reconnect()
        finally:
            self._is_reconnecting = outer
