"""What official clients receive from the gateways of `alike`, case by case, and the differences that the documentation lists."""

import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from clients import Client, Clients, js_clients

from kinds import HERE

ALIKE: Final = HERE / "tests" / "alike"
FENCES: Final = 2
"""The answer to the second fence comes after everything that the server did before without waiting for a client."""


_FENCE: Final = re.compile(r'\["fence"\]|\["fenced",')
Side = Literal["nestjs", "roomwire"]


@dataclass(frozen=True)
class Case:
    """What clients do.

    Attributes:
        name: A phrase.
        namespace: The namespace of all clients.
        steps: What they do, in order; see `cases.toml`.
        auth: What they send when they connect, in addition to their `name` and the case as their `group`.

    """

    name: str
    namespace: str
    steps: list[dict[str, Any]]
    auth: Mapping[str, str] = field(default_factory=dict)


def cases() -> list[Case]:
    """Return the cases of `cases.toml`."""
    table = tomllib.loads((ALIKE / "cases.toml").read_text(encoding="utf-8"))
    return [Case(**case) for case in table["case"]]


async def frames(url: str, side: Side) -> dict[str, Any]:
    """Run all cases; return the frames that the clients of each received, by its name."""
    async with js_clients() as clients:
        return {case.name: await _Run(case, clients, url, side).frames() for case in cases()}


class _Run:
    """One case on one server."""

    def __init__(self, case: Case, clients: Clients, url: str, side: Side) -> None:
        self._case = case
        self._all = clients
        self._url = f"{url}{case.namespace}"
        self._side = side
        self._clients: dict[str, Client] = {}
        self._ended: set[str] = set()
        self._fences = itertools.count(1)

    async def frames(self) -> Any:
        """Return the frames of the only client, or of each client by its name."""
        for step in self._case.steps:
            try:
                await self._step(step)
            except Exception as error:
                error.add_note(f"{self._side}: {self._case.name}: {step}")
                raise
        # The last fences of each are behind all that another client has caused.
        for name in self._clients:
            await self._fence(name)
        received = {name: self._received(client) for name, client in self._clients.items()}
        for client in self._clients.values():
            await client.close()
        return received["A"] if len(received) == 1 else received

    async def _step(self, step: dict[str, Any]) -> None:
        name = step.get("by", "A")
        ends = step.get("ends") in {"both", self._side}
        client = self._clients.get(name) or await self._connected(name)
        if "emit" in step and not await _is_refused(client):
            await client.send(*step["emit"], with_ack=step.get("ack", True))
        for text in (step.get("until"), step.get("roomwire") if self._side == "roomwire" else None):
            if text is not None:
                await _frame(client, text)
        if ends and not await _is_refused(client):
            await client.wait_for("disconnect")
        if "disconnect" in step:
            await client.again("disconnect")
        if ends or "disconnect" in step:
            self._ended.add(name)
        await self._fence(name)

    async def _connected(self, name: str) -> Client:
        # A client without recovery: other events end with an offset, which NestJS does not have.
        auth = {"name": name, "group": self._case.name, "recovery": False, **self._case.auth}
        options = {"auth": auth, "transports": ["websocket"], "reconnection": False}
        client = self._clients[name] = await self._all.open(self._url, frames=True, **options)
        return client

    async def _fence(self, name: str) -> None:
        for _ in range(FENCES if name not in self._ended else 0):
            number = next(self._fences)
            await self._clients[name].emit("fence", number)
            await self._clients[name].wait_for_event("fenced", number)

    def _received(self, client: Client) -> list[Any]:
        """Return a client's frames without those of the fences, and with the clients' names instead of their ids."""
        ids = {
            args[0]: name
            for name, one in self._clients.items()
            for happened, args in one.happenings
            if happened == "connect"
        }
        frames = [args[0] for happened, args in client.happenings if happened == "frame"]
        return [_named(frame, ids) for frame in frames if not _FENCE.search(str(frame))]


async def _is_refused(client: Client) -> bool:
    """Wait until a client is connected or refused; return whether it is refused."""

    def decided() -> list[Any] | None:
        return [
            happened for happened, _ in client.happenings if happened in {"connect", "connect_error"}
        ] or None

    return "connect_error" in await client.until(decided, "connect or connect_error")


async def _frame(client: Client, text: str) -> None:
    """Wait for a frame that contains a text."""

    def found() -> list[Any] | None:
        return next(
            (args for happened, args in client.happenings if happened == "frame" and text in str(args)), None
        )

    await client.until(found, f"a frame with {text}")


def _named(frame: Any, ids: Mapping[str, str]) -> Any:
    for id_, name in ids.items() if isinstance(frame, str) else ():
        frame = frame.replace(id_, name)
    return frame
