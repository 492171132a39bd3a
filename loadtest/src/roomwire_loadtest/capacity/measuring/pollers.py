"""Members that poll, one thread each: they are few and slow enough for this to be the simplest way."""

import threading
from collections.abc import Sequence
from typing import Final

from roomwire_loadtest.generator.links import HOST
from roomwire_loadtest.load.target import Target
from roomwire_loadtest.load.transports import Closed, PollingTransport

_TIMEOUT_S: Final = 30.0
_JOINED: Final = "430["


class Pollers:
    """Clients that stay on HTTP long-polling, each in a room.

    Args:
        places: The port and the room of each.
        auth: The JSON that goes with Socket.IO's CONNECT.

    """

    def __init__(self, places: Sequence[tuple[int, str]], auth: bytes) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.arrived = 0
        self._transports = [self._enter(port, room, auth.decode()) for port, room in places]
        self._threads = [
            threading.Thread(target=self._poll, args=(transport,), daemon=True)
            for transport in self._transports
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _enter(port: int, room: str, auth: str) -> PollingTransport:
        transport = PollingTransport(Target.of(f"http://{HOST}:{port}"), timeout_s=_TIMEOUT_S)
        transport.receive()
        transport.send(f"40{auth}")
        transport.send(f'420["joinRoom",{{"roomId":"{room}","userName":"u"}}]')
        while not any(text.startswith(_JOINED) for text in transport.receive()):
            pass
        return transport

    def _poll(self, transport: PollingTransport) -> None:
        try:
            while True:
                texts = transport.receive()
                pings = texts.count("2")
                with self._lock:
                    self.requests += 1 + pings
                    self.arrived += sum(text.startswith('42["roomMessage","[u') for text in texts)
                for _ in range(pings):
                    transport.send("3")
        except (Closed, OSError, ValueError):
            return

    def close(self) -> None:
        """Close the sessions, which ends each pending poll; idempotent."""
        for transport in self._transports:
            try:
                transport.send("1")
            except (Closed, OSError):
                continue
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
        for transport in self._transports:
            transport.close()
        self._transports, self._threads = [], []
