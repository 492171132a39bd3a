"""The client for threads."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from socketio import exceptions, packet

from roomwire.client.engines import ThreadedEngine
from roomwire.client.packages import require
from roomwire.client.receiver import ACKS, Receiver
from roomwire.client.recovery import ANSWER_S, Arrival, Sessions

if TYPE_CHECKING:
    from roomwire.client.surface import ThreadedBase
else:
    from socketio import Client as ThreadedBase

PATIENCE_S: Final = 1.0
"""How long a handler waits for the end of the one before it. It may wait for an event itself, so that there is an end to it."""


class Client(Receiver, ThreadedBase):
    """`socketio.Client` with connection state recovery; it takes the same options.

    After a lost connection, the client asks the server to continue its sessions. If the server can, the handlers receive what the
    client missed, each event once and in order, and `recovered` is true. If the server cannot, a new session begins, `recovered`
    is false, and events may be missing. Handlers receive the arguments that the server sent, without the offset.

    As in python-socketio, each handler has a thread of its own. It begins when the handler of the event before it has ended or has
    run for a second, so that the order is the server's. A callback for an ack does not wait, so a handler can `call` the server.

    Raises:
        PackageMissing: requests or websocket-client is not installed; `roomwire[client]` brings them.

    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        require(requests="requests", websocket="websocket-client")
        self._sessions = Sessions()
        self._connecting: int | None = None
        self._is_reconnecting = self._is_lost_again = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._is_handling = False
        super().__init__(*arguments, **options)

    def connect(
        self,
        url: str | Callable[[], str],
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
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
        outer, self._connecting = self._connecting, threading.get_ident()
        try:
            super().connect(
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

    def disconnect(self) -> None:
        """Disconnect from the server; this ends the sessions."""
        if self._connecting == threading.get_ident():
            # `connect` gives up an attempt: the sessions that it has recovered live on.
            self.eio.disconnect()
            return
        for namespace in self.namespaces:
            self._sessions.of(namespace).end()
        super().disconnect()

    def _engineio_client_class(self) -> type[ThreadedEngine]:
        return ThreadedEngine

    def _handle_eio_connect(self) -> None:
        self.sid = self.eio.sid
        auth = self._get_real_value(self.connection_auth) or {}
        for namespace in self.connection_namespaces:
            payload = self._sessions.of(namespace).payload(auth)
            self._send_packet(self.packet_class(packet.CONNECT, data=payload, namespace=namespace))

    def _handle_eio_message(self, data: str | bytes) -> None:
        received = self._received(data)
        if received is None:
            return
        pkt, arrival = received
        handler = self._handler_of(pkt)
        if pkt.packet_type in ACKS:
            self.start_background_task(handler)
            return
        with self._lock:
            self._waiting.append(lambda: self._handle(handler, arrival))
            if self._is_handling:
                return
            self._is_handling = True
        self.start_background_task(self._handle_waiting)

    def _handle_waiting(self) -> None:
        """Handle what has arrived, in order, until nothing waits."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_handling = False
                    return
                handle = self._waiting.popleft()
            self.start_background_task(handle).join(PATIENCE_S)

    def _handle(self, handler: Callable[[], None], arrival: Arrival | None) -> None:
        with contextlib.nullcontext() if arrival is None else arrival.handled():
            handler()

    def _handle_eio_disconnect(self, reason: str) -> None:
        if self._connecting is None or self.connected:
            # python-socketio starts no second thread that connects again.
            self._is_lost_again = self.eio.state == "connected" and self._reconnect_task is not None
            super()._handle_eio_disconnect(reason)
            return
        # `connect` waits for answers that do not come any more; it raises the error.
        self.callbacks, self.sid, self._binary_packet = {}, None, None
        self.failed_namespaces = [name for name in self.connection_namespaces if name not in self.namespaces]
        self._connect_event.set()

    def _handle_reconnect(self) -> None:
        outer, self._is_reconnecting = self._is_reconnecting, True
        try:
            super()._handle_reconnect()
        finally:
            self._is_reconnecting = outer
        if self._is_lost_again and self._reconnect_task is None:
            # The connection was lost while this thread, which had made it, was ending.
            self._is_lost_again = False
            self._reconnect_task = self.start_background_task(self._handle_reconnect)
