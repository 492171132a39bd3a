"""One chat client: it connects, joins a room, reconnects after a disconnection, and writes the journal for the oracle."""

import json
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gevent.lock import BoundedSemaphore

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.load.packets import packet, said
from roomwire_loadtest.load.target import Target
from roomwire_loadtest.load.transports import Closed, PollingTransport, WebSocketTransport

_CONNECT: Final = 0
_DISCONNECT: Final = 1
_EVENT: Final = 2
_ACK: Final = 3
_CONNECT_ERROR: Final = 4
_BACK_AFTER_S: Final = (0.15, 0.5)
_LOOK_S: Final = 0.05
TIMEOUT_S: Final = 60.0
"""Maximum silence of a connection: longer than the server's ping interval and timeout."""

GIVEN_UP_S: Final = 4.0
"""A message that was due this long ago, and is not acknowledged when its client leaves, has failed."""
DISMISSED: Final = "io server disconnect"
"""The reason when the server disconnects a client; the official client does not reconnect by itself then."""

Measure = Callable[[str, float, str], None]
"""Records a measurement: its name (`connect`, `join`, `delivery`, `ack`, `renewal`, `dismissal`), its milliseconds, and the failure (empty if none)."""


class Refused(Exception):
    """The server refused or ended the namespace; the transport is not the cause.

    Args:
        reason: The reason.
        is_retryable: Whether the server says that a retry may succeed.

    """

    def __init__(self, reason: str, *, is_retryable: bool) -> None:
        super().__init__(reason)
        self.is_retryable = is_retryable


class Chatter:
    """A client that recovers as the official one does, with the `pid` and the last offset that it was given.

    Like the official client it reconnects by itself when its transport closes, and stays disconnected when the server refuses
    it permanently (CONNECT_ERROR without `retryable`) or disconnects it (DISCONNECT).

    Args:
        name: Its name in the journal, which is unique.
        room: The room that it joins.
        target: The ingress.
        polls: Whether it stays on HTTP long-polling.
        token: Returns the access token to connect with.
        write: Writes an entry of the journal.
        measure: Records a measurement.

    """

    def __init__(
        self,
        name: str,
        *,
        room: str,
        target: Target,
        polls: bool,
        token: Callable[[], str],
        write: Callable[[Entry], None],
        measure: Measure,
    ) -> None:
        self._name = name
        self._room = room
        self._target = target
        self._open = PollingTransport if polls else WebSocketTransport
        self._token = token
        self._write = write
        self._measure = measure
        self._transport: PollingTransport | WebSocketTransport | None = None
        self._is_joined = False
        self._is_member = False
        self._is_closing = self._is_answered = False
        self._sending = BoundedSemaphore()
        self._pid = self._offset = ""
        self._acks: dict[int, tuple[str, str, float]] = {}
        self._next_ack = self._said = 0
        self._unanswered: dict[str, tuple[dict[str, Any], float]] = {}
        self._waiting: deque[str] = deque()

    def run(self) -> None:
        """Stay connected until `close`, or until the server refuses this client permanently."""
        while not self._is_closing:
            began = time.monotonic()
            self._is_answered = False
            try:
                self._live(began)
            except (Closed, Refused, OSError, ValueError) as error:
                if self._is_closing:
                    return  # type: ignore[unreachable]  # `close` comes from another greenlet
                reason = type(error).__name__ if isinstance(error, OSError) else str(error)
                if not self._is_answered:
                    self._measure("connect", (time.monotonic() - began) * 1000, reason)
                self._part(reason)
                if isinstance(error, Refused) and not error.is_retryable:
                    return
            time.sleep(random.uniform(*_BACK_AFTER_S))  # noqa: S311 - a delay, not a secret

    def say(self, due_s: float) -> None:
        """Send a message that was due at a time of `time.time`; never waits for the server.

        A message that is due while the client is not in its room is sent as soon as it is back, and one that was lost with a
        connection is sent again under the same id: the server accepts it once, and its due time stays the same.
        """
        self._said += 1
        id_ = f"{self._name}#{self._said}"
        body = {
            "roomId": self._room,
            "userName": self._name,
            "message": f"{id_} {self._said} {due_s * 1000:.3f}",
            "messageId": id_,
        }
        self._note("invoked", room=self._room, id=id_, seq=self._said)
        self._unanswered[id_] = body, due_s
        if self._is_joined:
            self._emit("chatMessage", body, id_, due_s)
        else:
            self._waiting.append(id_)

    def renew(self) -> None:
        """Send the connection the present token, so that it outlives the previous one; if disconnected, the next connection uses it."""
        if self._is_joined:
            self._emit("refreshToken", {"token": self._token()}, "", time.time())

    def settle(self, timeout_s: float) -> None:
        """Wait until all messages are answered, or until the timeout."""
        deadline = time.monotonic() + timeout_s
        while self._unanswered and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Leave, and count messages that were due long enough ago and not acknowledged as failed; idempotent."""
        if self._is_closing:
            return
        self._is_closing = True
        self._note("closed")
        now_s = time.time()
        for _, due_s in self._unanswered.values():
            if now_s - due_s >= GIVEN_UP_S:
                self._measure("ack", (now_s - due_s) * 1000, "never acknowledged")
        if self._transport is not None:
            self._transport.close()

    def _live(self, began: float) -> None:
        self._transport = self._open(self._target, timeout_s=TIMEOUT_S)
        while not self._is_closing:
            for text in self._transport.receive():
                self._take(text, began)

    def _take(self, text: str, began: float) -> None:
        if text == "2":
            self._send("3")
        elif text.startswith("0"):
            auth = {"token": self._token()}
            if self._pid:
                auth |= {"pid": self._pid} | ({"offset": self._offset} if self._offset else {})
            self._send(f"40{json.dumps(auth)}")
        elif text == "1":
            raise Closed("transport close")
        elif (read := packet(text)) is not None:
            self._take_packet(*read, began)

    def _take_packet(self, kind: int, id_: int | None, data: Any, began: float) -> None:
        if kind == _EVENT:
            self._hear(data)
        elif kind == _ACK and id_ in self._acks:
            self._answered(*self._acks.pop(id_), data)
        elif kind == _CONNECT:
            self._is_answered = True
            self._measure("connect", (time.monotonic() - began) * 1000, "")
            pid = data.get("pid", "")
            is_recovered = bool(pid) and pid == self._pid
            self._pid = pid
            self._note("connect", id=data["sid"], recovered=is_recovered, detail=self._open.name)
            if is_recovered and self._is_member:
                self._enter()
            else:
                self._offset = self._offset if is_recovered else ""
                self._is_member = False
                self._note("join", room=self._room)
                self._emit("joinRoom", {"roomId": self._room, "userName": self._name}, "", time.time())
        elif kind == _CONNECT_ERROR:
            facts = data.get("data")
            facts = facts if isinstance(facts, dict) else {}
            reason = str(facts.get("code", data.get("message")))
            self._note("refused", detail=reason)
            raise Refused(f"refused: {reason}", is_retryable=facts.get("retryable") is True)
        elif kind == _DISCONNECT:
            self._measure("dismissal", 0.0, DISMISSED)
            raise Refused(DISMISSED, is_retryable=False)

    def _hear(self, data: list[Any]) -> None:
        # As in the official client, a last argument that is a string is the offset, if there is a session to recover.
        offset = data[-1] if self._pid and len(data) > 1 and isinstance(data[-1], str) else ""
        if offset:
            self._offset = offset
        if data[0] != "roomMessage" or (found := said(data[1])) is None:
            return
        room, id_, seq, due_ms = found
        self._note("got", room=room, id=id_, seq=seq, offset=offset)
        self._measure("delivery", time.time() * 1000 - due_ms, "")

    def _answered(self, event: str, id_: str, due_s: float, data: list[Any]) -> None:
        error = data[0].get("error") if data and isinstance(data[0], dict) else None
        code = str(error.get("code")) if error else ""
        if event == "joinRoom":
            self._measure("join", (time.time() - due_s) * 1000, code)
            if error:
                raise Closed(f"joinRoom: {code}")
            self._note("joined", room=self._room)
            self._is_member = True
            self._enter()
            return
        if event == "refreshToken":
            self._measure("renewal", (time.time() - due_s) * 1000, code)
            return
        self._unanswered.pop(id_, None)
        self._measure("ack", (time.time() - due_s) * 1000, code)
        self._note("failed" if error else "acked", room=self._room, id=id_, detail=code)

    def _enter(self) -> None:
        # Messages are sent in the order in which they were due; later ones queue up until this loop ends.
        while self._waiting:
            id_ = self._waiting.popleft()
            body, due_s = self._unanswered[id_]
            self._emit("chatMessage", body, id_, due_s)
        self._is_joined = True

    def _emit(self, event: str, body: dict[str, Any], id_: str, due_s: float) -> None:
        self._next_ack += 1
        self._acks[self._next_ack] = (event, id_, due_s)
        self._send(f"42{self._next_ack}{json.dumps([event, body])}")

    def _send(self, text: str) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            with self._sending:
                transport.send(text)
        except (Closed, OSError):
            # The reader notices the end as well, and reconnects; the message is sent again then.
            transport.close()

    def _part(self, reason: str) -> None:
        self._is_joined = False
        self._acks.clear()
        self._waiting = deque(self._unanswered)
        if self._transport is not None:
            self._transport.close()
            self._transport = None
            self._note("disconnect", detail=reason)

    def _note(self, kind: str, **facts: Any) -> None:
        self._write(Entry(kind, self._name, time.time() * 1000, **facts))
