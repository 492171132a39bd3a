"""Attacks a system that the chart installs while its members talk, and judges by counts what came of it.

One system (`installed`) serves many attacks. What is looked at (`Siege.complaints`) is what happened to the members
(`bystanders`), the memory that each process had whenever it was looked at, how the attacker was answered, what was counted of it and
what was logged.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from installed import System
from service_process import HOST, ServiceProcess
from siege import TEXT, UPGRADE, Raw, frame
from waiting import PATIENCE_S, until

WITNESSED = 60
"""How many messages of bystanders are acked under an attack at least; it is repeated until then."""
AFTERWARDS = 20
"""How many are acked behind it: Redis takes their writes."""
LOOK_S = 0.1
CALM_S = 1.0
"""For how long nothing of what an attacker sends is taken before it is held back: a slow machine may take it later."""

Attack = Callable[["Stranger"], Awaitable[Iterable[str]]]


class Row(msgspec.Struct, frozen=True):
    """One attack, and what it has to get.

    Attributes:
        attack: Returns how what it did was answered: a status, `closed <code>`, `cut`, `held back`, the code of an error.
        ends: The answers that are right.
        counted: The metric that counts the attacker, as it is spelled in an exposition. Empty: none does.
        logged: The event of the line that names the attacker. Empty: none does.
        fields: What that line says besides.
        grows_bytes: How much each process may grow meanwhile. Default: as far as its limit of memory.

    """

    attack: Attack
    ends: frozenset[str]
    counted: str = ""
    logged: str = ""
    fields: Mapping[str, Any] = {}
    grows_bytes: int = 2**62


@dataclass
class Stranger:
    """An attacker, and what it may use.

    Attributes:
        system: The attacked system.
        token: Its token: a guest's.

    """

    system: System
    token: str
    _opened: list[Raw] = field(default_factory=list)

    async def open(self, to: ServiceProcess | int | None = None) -> Raw:
        """Open a connection to a service, or to a port. Default: the public port of the first gateway."""
        port = to if isinstance(to, int) else (to or self.system.gateways[0]).port
        # What arrives is left to the kernel unless it is read: an attacker has no memory to spare.
        raw = Raw(*await asyncio.open_connection(HOST, port, limit=2**16))
        self._opened.append(raw)
        return raw

    async def websocket(
        self,
        to: ServiceProcess | None = None,
        *,
        path: str = "/socket.io/",
        more: str = "",
        token: str | None = None,
    ) -> Raw:
        """Open a WebSocket, and connect with its token; one that is refused has the refusal in `got`."""
        raw = await self.upgrade(to, path=path, more=more)
        if raw.got.startswith(b"HTTP/1.1 101"):
            raw.got = b""
            await raw.send(frame(TEXT, b"40" + json.dumps({"token": token or self.token}).encode()))
            await raw.reader.readuntil(b"Welcome")
        return raw

    async def upgrade(
        self, to: ServiceProcess | int | None = None, *, path: str = "/socket.io/", more: str = ""
    ) -> Raw:
        """Ask for a WebSocket; the head of the answer is in `got`."""
        raw = await self.open(to)
        asked = UPGRADE.format(key=base64.b64encode(bytes(16)).decode(), more=more)
        await raw.send(asked.replace("/socket.io/", path, 1).encode("latin-1"))
        raw.got = await raw.reader.readuntil(b"\r\n\r\n")
        return raw

    async def request(self, data: bytes, to: ServiceProcess | int | None = None) -> str:
        """Send bytes on a connection of their own, and return how it ended."""
        raw = await self.open(to)
        await raw.send(data)
        return await raw.rest()

    async def pour(self, raw: Raw, data: bytes, *, times: int) -> str:
        """Send the same again and again; returns how that ended: `cut`, `held back`, or `taken`."""
        for _ in range(times):
            raw.writer.write(data)
            try:
                async with asyncio.timeout(CALM_S):
                    await raw.writer.drain()
            except TimeoutError:
                return "held back"
            except ConnectionError:
                return "cut"
        return "taken"

    def close(self) -> None:
        """Let go of everything."""
        for raw in self._opened:
            raw.writer.transport.abort()
        self._opened.clear()


@dataclass
class Siege:
    """What was seen of an attack.

    Attributes:
        ended: How what it did was answered, by number.
        during: The bystanders' report on the time of the attack.
        afterwards: Their report on the time behind it.
        counted: By how much the row's metric grew.
        logged: The lines that name the attacker.
        complaints: What did not hold.

    """

    ended: Counter[str] = field(default_factory=Counter)
    during: dict[str, Any] = field(default_factory=dict)
    afterwards: dict[str, Any] = field(default_factory=dict)
    counted: float = 0
    logged: int = 0
    complaints: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return a line of a Markdown table: what it did, and what the bystanders noticed."""
        both = (self.during, self.afterwards)
        most = max(held for report in both for of, held in report["memory_bytes"].items() if "gateway" in of)
        harm = [
            sum(len(r[what]) if what == "late" else r[what] for r in both)
            for what in ("cut", "late", "unheard")
        ]
        refused = sum(sum(report["refused"].values()) for report in both)
        slowest_ms = 1_000 * max(report["slowest_s"] for report in both)
        ended = ", ".join(f"{what} {number:,}" for what, number in self.ended.most_common())
        noticed = f"{harm[0]} | {refused} | {harm[1]} | {harm[2]} | {slowest_ms:,.0f} | {most >> 20}"
        return f"| {name} | {ended} | {self.counted:,.0f} | {noticed} |"


async def attacked(system: System, row: Row, *, patience_s: float = 2 * PATIENCE_S) -> Siege:
    """Let a stranger attack until the bystanders have said enough, and judge what came of it.

    Args:
        system: What is attacked.
        row: The attack.
        patience_s: How long the attack may take: only a failure takes that long.

    """
    siege, talk = Siege(), system.bystanders
    await until(lambda: admits_all(system))
    stranger = Stranger(system, await system.sign_in())
    marks = [len(service.log) for service in system.services]
    before = await system.counted(row.counted) if row.counted else 0
    quiet = await talk.report(acks=1)

    async def is_found() -> bool:
        siege.counted = await system.counted(row.counted) - before if row.counted else 0
        siege.logged = len([*_lines(system, row, marks)])
        return bool(siege.counted or not row.counted) and bool(siege.logged or not row.logged)

    attacking = asyncio.ensure_future(_until_witnessed(stranger, row, siege, is_found))
    watching = asyncio.create_task(_watch(system, attacking, siege))
    try:
        async with asyncio.timeout(patience_s):
            await attacking
    except TimeoutError:
        siege.complaints.append("the attack does not end")
    except asyncio.CancelledError:
        # The watch has said why.
        assert siege.complaints
    finally:
        await watching
        siege.during = await talk.report()
        stranger.close()
        siege.afterwards = await talk.report(acks=AFTERWARDS)
    siege.complaints += _complaints(system, siege)
    siege.complaints += [f"answered {other}" for other in {*siege.ended} - row.ends]
    grown = {name: held - quiet["memory_bytes"][name] for name, held in siege.during["memory_bytes"].items()}
    siege.complaints += [f"{name} grew {by >> 20} MiB" for name, by in grown.items() if by > row.grows_bytes]
    if any("Traceback" in service.log[mark:] for service, mark in zip(system.services, marks, strict=True)):
        siege.complaints.append("a traceback in the log")
    if not await is_found():
        siege.complaints.append(f"counted {siege.counted} times, named {siege.logged} times")
    return siege


async def admits_all(system: System) -> bool:
    """Return whether each gateway opens a session: what an attack before left behind may still take the room for them."""
    async with httpx.AsyncClient(trust_env=False) as http:
        urls = [f"http://{each.address}/socket.io/?EIO=4&transport=polling" for each in system.gateways]
        return all([(await http.get(url)).is_success for url in urls])


async def _until_witnessed(
    stranger: Stranger, row: Row, siege: Siege, is_found: Callable[[], Awaitable[bool]]
) -> None:
    """Attack until the bystanders have said enough, and the attacker is counted and named: some lines are not written for each."""
    while not siege.ended or (await stranger.system.bystanders.so_far())["acks"] < WITNESSED:
        siege.ended.update(await row.attack(stranger))
    while not await is_found():
        siege.ended.update(await row.attack(stranger))


async def _watch(system: System, attacking: asyncio.Future[None], siege: Siege) -> None:
    """End the attack as soon as it has won."""
    while not attacking.done():
        said = await system.bystanders.so_far()
        if said["cut"] or _too_large(system, said):
            siege.complaints.append("ended before its time")
            attacking.cancel()
            return
        await asyncio.wait({attacking}, timeout=LOOK_S)


def _too_large(system: System, report: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} has {held >> 20} MiB"
        for name, held in report["memory_bytes"].items()
        if held >= system.limits[name]
    ]


def _complaints(system: System, siege: Siege) -> Iterator[str]:
    for when, report in (("under attack", siege.during), ("afterwards", siege.afterwards)):
        yield from (f"{when}: {what}" for what in _too_large(system, report))
        for what in ("cut", "refused", "late", "unheard"):
            if report[what]:
                yield f"{when}: bystanders {what}: {report[what]}"
        if not report["acks"]:
            yield f"{when}: nothing is acked"


def _lines(system: System, row: Row, marks: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for service, mark in zip(system.services, marks, strict=True):
        for text in service.log[mark:].splitlines():
            if row.logged and f'"{row.logged}"' in text:
                line = json.loads(text)
                if line["event"] == row.logged and all(
                    line.get(key) == value for key, value in row.fields.items()
                ):
                    yield line
