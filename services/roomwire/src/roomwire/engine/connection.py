"""One client: its session's state, and the transport that carries it at the moment.

What python-socketio and its users know of a connection has python-engineio's names: `session`, `connected`,
`upgraded`, `closed`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from roomwire.engine.packets import Packet
from roomwire.engine.session import POLLING, Reason, Session


class Connection:
    """Drives one session.

    Args:
        state: The session's state.
        environ: The request it began with.
        on_closed: Called once, when the session has ended, with the reason.

    Attributes:
        sid: The session's id.
        state: The session's state.
        environ: The request it began with.
        session: The application's own data of this client.

    """

    def __init__(
        self, state: Session, environ: Mapping[str, Any], on_closed: "Callable[[Connection, Reason], None]"
    ) -> None:
        self.sid = state.sid
        self.state = state
        self.environ = environ
        self.session: dict[str, Any] = {}
        self._on_closed = on_closed
        self._is_reported = False
        self._answer: asyncio.Future[Sequence[Packet]] | None = None
        self._socket: Callable[[], None] | None = None

    @property
    def connected(self) -> bool:
        """Whether it lives; python-engineio's name."""
        return self.state.closed is None

    @property
    def closed(self) -> bool:
        """Whether it has ended; python-engineio's name."""
        return self.state.closed is not None

    @property
    def upgraded(self) -> bool:
        """Whether WebSocket is its transport; python-engineio's name."""
        return self.state.transport != POLLING

    def send(self, packet: Packet) -> None:
        """Send a packet over whatever transport it has."""
        self.state.send(packet)
        self.flush()

    def close(self, reason: Reason) -> None:
        """End it; the first reason stands."""
        self.state.close(reason)
        self.flush()

    def flush(self) -> None:
        """Act on what the state has become; call it after every input to the state."""
        if self._answer is not None and self.state.has_answer:
            if not self._answer.done():
                self._answer.set_result(self.state.output())
            self._answer = None
        if self._socket is not None:
            self._socket()
        if self.state.closed is not None and not self._is_reported:
            self._is_reported = True
            self._on_closed(self, self.state.closed)

    def poll(self) -> "asyncio.Future[Sequence[Packet]] | None":
        """Return what will be the answer to a poll that has come; None if it is refused."""
        if not self.state.poll():
            self.flush()
            return None
        answer = self._answer = asyncio.get_running_loop().create_future()
        self.flush()
        return answer

    def cancel_poll(self) -> None:
        """Note that the pending poll's connection was lost."""
        self._answer = None
        self.state.cancel_poll()
        self.flush()

    def use_socket(self, wake: Callable[[], None]) -> None:
        """Have a WebSocket told, from now on, when there may be something to write or the end has come."""
        self._socket = wake
        wake()

    def tick(self, now: float) -> float | None:
        """Do what is due at this time: an alarm of the wheel."""
        deadline = self.state.tick(now)
        self.flush()
        return deadline
