"""A process of members who talk while others attack, and who write down what that does to them.

It is a process of its own, so that what an attacker does in the test's event loop delays none of its clocks. It reads a
line of JSON (`Watched`), then begins. The line `report` asks for a line of JSON (`Report`) about everything since the report before,
any other line for what the report would say so far. It ends with its input.

**What is late.** An ack is late after `LATE_S`, by two clocks that both have to say so. The one is the wall's, less the time in
which, as the kernel says, the member's gateway, Redis or this process was ready to run and was given no processor
(`schedstat`): that is the machine's lateness, not the attacked gateway's. The other is the number of looks, `LOOK_S` apart, that
this process took meanwhile: a machine that stands still lets nobody look.
"""

import asyncio
import contextlib
import dataclasses
import json
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import psutil
import websockets
from waiting import PATIENCE_S, time_passes
from websockets.asyncio.client import ClientConnection, connect

LATE_S = 1.0
LOOK_S = 0.1
BREATH_S = 0.05
"""The pause of a member between an ack and its next message."""
ROOM = "bystanders"
MAX_MESSAGE_BYTES = 1_000_000


class Watched(msgspec.Struct, frozen=True):
    """What the process is told.

    Attributes:
        gateways: The gateways' addresses, `host:port`, by name; the members are divided among them.
        tokens: The token of each member.
        pids: The processes that serve, by name.

    """

    gateways: dict[str, str]
    tokens: list[str]
    pids: dict[str, int]


@dataclasses.dataclass
class Report:
    """What happened since the last report.

    Attributes:
        acks: How many messages were acked.
        heard: How many messages of others were delivered, of all members together.
        cut: How often a member's connection ended.
        refused: The codes of the refusals, with their numbers.
        late: The times of the acks that were late, in seconds.
        slowest_s: The time of the slowest ack, whatever delayed it.
        unheard: How many acked messages did not reach each other member, or came twice or out of order.
        memory_bytes: The most memory that each process had at a look.
        looks: How many looks there were.

    """

    acks: int = 0
    heard: int = 0
    cut: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter)
    late: list[float] = dataclasses.field(default_factory=list)
    slowest_s: float = 0.0
    unheard: int = 0
    memory_bytes: Counter[str] = dataclasses.field(default_factory=Counter)
    looks: int = 0


class Machine:
    """Looks at the processes that serve, and knows for how long they, and this one, waited for a processor."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.looks = 0
        self.waited_s: dict[str, float] = {}
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._schedules = {
            name: Path(f"/proc/{pid}/schedstat") for name, pid in {**pids, "self": "self"}.items()
        }
        self.wait()

    def look(self, report: Report) -> None:
        """Look at their memory, and at how long they have waited for a processor."""
        self.looks += 1
        report.looks += 1
        self.wait()
        for name, process in self._processes.items():
            report.memory_bytes[name] = max(report.memory_bytes[name], process.memory_info().rss)

    def wait(self) -> None:
        """Read how long each has waited for a processor until now; other kernels than Linux do not tell."""
        for name, path in self._schedules.items():
            with contextlib.suppress(FileNotFoundError):
                self.waited_s[name] = int(path.read_text().split()[1]) / 1e9


class Ask:
    """How long an ack has been waited for, by the clocks that the module describes."""

    def __init__(self, machine: Machine, gateway: str) -> None:
        self._machine = machine
        self._names = (gateway, "redis", "self")
        self._began, self._waited_s, self._looks = time.perf_counter(), self._waits_s(), machine.looks

    def took_s(self) -> float:
        """Return the time by the wall's clock."""
        return time.perf_counter() - self._began

    def own_s(self) -> float:
        """Return the time without what the machine is late by."""
        self._machine.wait()
        looked_s = (self._machine.looks - self._looks) * LOOK_S
        return min(self.took_s() - (self._waits_s() - self._waited_s), looked_s)

    def _waits_s(self) -> float:
        return sum(self._machine.waited_s.get(name, 0.0) for name in self._names)


class Member:
    """One member: it says something, waits for the ack, and says the next."""

    def __init__(self, all_: "Bystanders", name: str, gateway: str, websocket: ClientConnection) -> None:
        self.name = name
        self._gateway = gateway
        self._waiting: Ask | None = None
        self.said = 0
        self.heard: dict[str, int] = {}
        self._all = all_
        self._websocket = websocket
        self._acks: dict[int, asyncio.Future[object]] = {}
        self._asked = 0

    async def ask(self, event: str, body: dict[str, object]) -> object:
        """Emit an event and return what its ack says."""
        self._asked += 1
        answer = self._acks[self._asked] = asyncio.get_running_loop().create_future()
        await self._websocket.send(f"42{self._asked}{json.dumps([event, body])}")
        return await answer

    async def talk(self) -> None:
        """Talk until cancelled."""
        room = {"roomId": ROOM, "userName": self.name}
        while True:
            self._waiting = Ask(self._all.machine, self._gateway)
            answer = await self.ask("chatMessage", room | {"message": f"{self.name} {self.said + 1}"})
            self.note_wait()
            self._waiting, report = None, self._all.report
            if isinstance(answer, dict):
                report.refused[answer["error"]["code"]] += 1
            else:
                self.said += 1
                report.acks += 1
            await time_passes(BREATH_S)

    def note_wait(self) -> None:
        """Note for how long the ack has been waited for, be it there or not."""
        if self._waiting is not None:
            report = self._all.report
            report.slowest_s = max(report.slowest_s, self._waiting.took_s())
            if self._waiting.took_s() > LATE_S and (own_s := self._waiting.own_s()) > LATE_S:
                report.late.append(round(own_s, 3))

    async def read(self) -> None:
        """Read until the connection ends, which it must not."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                frame = await self._websocket.recv()
                if frame == "2":
                    await self._websocket.send("3")
                elif isinstance(frame, str):
                    self._take(frame)
        self._all.report.cut += 1

    def _take(self, frame: str) -> None:
        if frame.startswith("43"):
            id_, bracket, body = frame[2:].partition("[")
            self._acks.pop(int(id_)).set_result(json.loads(bracket + body)[0])
        elif frame.startswith('42["roomMessage","['):
            # The tutorial's text: "[<name> in <room>] <name> <number>".
            name, number = json.loads(frame[2:])[1].rpartition("] ")[2].split()
            if int(number) != self.heard.get(name, 0) + 1:
                self._all.report.unheard += 1
            self.heard[name] = int(number)
            self._all.report.heard += name != self.name


class Bystanders:
    """All members, and the report that they write."""

    def __init__(self, watched: Watched) -> None:
        self.report = Report()
        self.machine = Machine(watched.pids)
        self._watched = watched
        self._members: list[Member] = []

    async def run(self) -> None:
        """Connect the members, let them talk, and report when asked to."""
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as stack:
            going_on = [tasks.create_task(self._look_on())]
            for number, token in enumerate(self._watched.tokens):
                gateway = sorted(self._watched.gateways)[number % len(self._watched.gateways)]
                member = await self._connected(stack, tasks, gateway, f"member-{number}", token)
                self._members.append(member)
            going_on += [tasks.create_task(member.talk()) for member in self._members]
            _say("ready")
            while line := await lines.readline():
                report = self.report
                if line.strip() == b"report":
                    await self._hear_all()
                    self.machine.look(report)
                    for member in self._members:
                        member.note_wait()
                    report, self.report = self.report, Report()
                _say(msgspec.json.encode(report).decode())
            for task in going_on:
                task.cancel()

    async def _look_on(self) -> None:
        """Look every `LOOK_S`, as far as this machine lets it."""
        while True:
            self.machine.look(self.report)
            await time_passes(LOOK_S)

    async def _connected(
        self, stack: contextlib.AsyncExitStack, tasks: asyncio.TaskGroup, gateway: str, name: str, token: str
    ) -> Member:
        url = f"ws://{self._watched.gateways[gateway]}/socket.io/?EIO=4&transport=websocket"
        websocket = await stack.enter_async_context(connect(url, proxy=None, max_size=MAX_MESSAGE_BYTES))
        await websocket.recv()
        await websocket.send("40" + json.dumps({"token": token}))
        answer = await websocket.recv()
        if not str(answer).startswith('40{"sid"'):
            raise SystemExit(f"a bystander is refused: {answer!r}")
        member = Member(self, name, gateway, websocket)
        stack.push_async_callback(websocket.close)
        tasks.create_task(member.read())
        joined = await member.ask("joinRoom", {"roomId": ROOM, "userName": name})
        if isinstance(joined, dict):
            raise SystemExit(f"a bystander does not join: {joined}")
        return member

    async def _hear_all(self) -> None:
        """Wait until everything that was acked has been heard by all; what is not is counted."""
        wanted = {member.name: member.said for member in self._members}
        deadline = time.monotonic() + PATIENCE_S
        while missing := sum(
            max(0, number - member.heard.get(name, 0))
            for member in self._members
            for name, number in wanted.items()
        ):
            if time.monotonic() > deadline:
                self.report.unheard += missing
                return
            await time_passes(BREATH_S)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(Bystanders(msgspec.json.decode(sys.stdin.readline(), type=Watched)).run())
