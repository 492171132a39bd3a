"""For tests against a real server in this process: clients that speak frame by frame."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import serving
import websockets
from waiting import PATIENCE_S
from websockets.asyncio.client import ClientConnection


@contextlib.asynccontextmanager
async def served(asgi: Any) -> AsyncIterator[str]:
    """Serve an ASGI application as the services do; yields `host:port`."""
    async with serving.served(asgi) as place:
        yield place.address


class Client:
    """One WebSocket connection to a Socket.IO server; what arrives is kept in order.

    Attributes:
        frames: Every frame as it came.
        events: The events, name first; binary arguments in place.

    """

    def __init__(self, websocket: ClientConnection) -> None:
        self.frames: list[str | bytes] = []
        self.events: list[list[Any]] = []
        self.sid = ""
        self.pid: str | None = None
        self._websocket = websocket
        self._acks: dict[int, list[Any]] = {}
        self._attachments: list[bytes] = []
        self._binary: str | None = None
        self._last_id = 0
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, address: str, *, query: str = "", headers: dict[str, str] | None = None
    ) -> AsyncIterator["Client"]:
        """Open the transport; no namespace is connected yet."""
        url = f"ws://{address}/socket.io/?EIO=4&transport=websocket{query}"
        async with websockets.connect(url, additional_headers=headers, proxy=None) as websocket:
            client = cls(websocket)
            try:
                yield client
            finally:
                await websocket.close()
                await client._reading

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(
        cls,
        address: str,
        auth: Any = None,
        *,
        namespace: str = "/",
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator["Client"]:
        """Open the transport and connect to a namespace."""
        async with cls.open(address, query=query, headers=headers) as client:
            answer = await client.connect(auth, namespace=namespace)
            assert "sid" in answer, answer
            client.sid, client.pid = answer["sid"], answer.get("pid")
            yield client

    async def connect(self, auth: Any = None, *, namespace: str = "/") -> dict[str, Any]:
        """Connect to a namespace; returns the body of the answer: a `sid`, or the refusal."""
        of = "" if namespace == "/" else f"{namespace},"
        await self.send_frame(f"40{of}" + ("" if auth is None else json.dumps(auth)))
        answer = await self.frame(lambda text: text.startswith((f"40{of}{{", f"44{of}")))
        return json.loads(answer[2 + len(of) :])

    async def send_frame(self, frame: str | bytes) -> None:
        await self._websocket.send(frame)

    async def close(self) -> None:
        """Close the transport, without a goodbye."""
        await self._websocket.close()

    async def send(self, event: Any, *args: Any) -> None:
        """Emit without asking for an ack."""
        await self.send_frame("42" + json.dumps([event, *args]))

    async def ask(self, event: str, *args: Any) -> int:
        """Emit and ask for an ack, without waiting for it; returns the ack's id."""
        self._last_id += 1
        await self.send_frame(f"42{self._last_id}" + json.dumps([event, *args]))
        return self._last_id

    async def ack(self, id_: int) -> list[Any]:
        """Wait for an ack; returns its arguments."""
        return await self._until(lambda: self._acks.get(id_), f"ack {id_}")

    async def emit(self, event: str, *args: Any) -> Any:
        """Emit and wait for the ack; returns its only argument, or the list of several."""
        answer = await self.ack(await self.ask(event, *args))
        return answer[0] if len(answer) == 1 else answer

    async def event(self, name: str) -> list[Any]:
        """Wait for an event and take it; returns its arguments."""

        def find() -> list[Any] | None:
            return next((event for event in self.events if event[0] == name), None)

        found = await self._until(find, f"event {name}")
        self.events.remove(found)
        return found[1:]

    async def frame(self, matches: Callable[[str], bool]) -> str:
        """Wait for a text frame."""
        return await self._until(
            lambda: next((f for f in self.frames if isinstance(f, str) and matches(f)), None), "a frame"
        )

    @property
    def has_ended(self) -> bool:
        """Whether the server has closed the transport."""
        return self._reading.done()

    @property
    def is_connected(self) -> bool:
        """Whether the server has answered a CONNECT, whatever it said."""
        return any(isinstance(frame, str) and frame.startswith(("40", "44")) for frame in self.frames)

    async def ended(self) -> None:
        """Wait until the server has closed the transport."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.shield(self._reading)

    async def _until(self, find: Callable[[], Any], what: str) -> Any:
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                while not (found := find()):
                    if self._reading.done():
                        raise AssertionError(f"the transport ended before {what}: {self.frames}")
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no {what} in {self.frames}") from None
        return found

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                frame = await self._websocket.recv()
                self.frames.append(frame)
                if frame == "2":
                    await self._websocket.send("3")
                self._sort(frame)
                async with self._news:
                    self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    def _sort(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._attachments.append(frame)
            head, _, rest = str(self._binary).partition("-")
            if len(self._attachments) == int(head[2:]):
                self._packet("42" if head[1] == "5" else "43", rest, self._attachments)
        elif frame.startswith(("45", "46")):
            self._binary, self._attachments = frame, []
        elif frame.startswith(("42", "43")):
            self._packet(frame[:2], frame[2:], [])

    def _packet(self, kind: str, text: str, attachments: list[bytes]) -> None:
        if text.startswith("/"):
            text = text.partition(",")[2]
        id_, _, body = text.partition("[")
        data = [_with_binary(item, attachments) for item in json.loads(f"[{body}")]
        if kind == "42":
            self.events.append(data)
        else:
            # An ack without arguments is an answer too.
            self._acks[int(id_)] = data or [None]


class Polling:
    """A connection by HTTP long-polling, request by request."""

    def __init__(self, http: httpx.AsyncClient, url: str, sid: str) -> None:
        self.sid = sid
        self._http = http
        self._url = f"{url}&sid={sid}"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, address: str) -> AsyncIterator["Polling"]:
        url = f"http://{address}/socket.io/?EIO=4&transport=polling"
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE_S) as http:
            opening = (await http.get(url)).text
            yield cls(http, url, json.loads(opening[1:])["sid"])

    async def post(self, payload: str) -> None:
        """Send packets, parted by \\x1e."""
        answer = await self._http.post(self._url, content=payload)
        assert answer.text == "ok", answer

    async def poll(self) -> str:
        """Wait for packets."""
        return (await self._http.get(self._url)).text


def _with_binary(value: Any, attachments: list[bytes]) -> Any:
    if not attachments:
        return value
    if isinstance(value, dict):
        if value.get("_placeholder"):
            return attachments[value["num"]]
        return {key: _with_binary(inner, attachments) for key, inner in value.items()}
    return [_with_binary(inner, attachments) for inner in value] if isinstance(value, list) else value
