"""One run of one row: the system, the clients, and what the scenario says about its fault.

A scenario does the harm and states what it saw; it never judges messages, which is the oracle's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from roomwire_loadtest.faults.fleet import Fleet
from roomwire_loadtest.faults.system import Home, System

MEMBERS: Final = 6
PUBLISHERS: Final = 2
RATE: Final = 4.0
_CALM_S: Final = 1.5


class Skipped(Exception):
    """This machine cannot do it; one sentence says what is missing."""


@dataclass
class Stage:
    """What a scenario works with.

    Attributes:
        system: The system under test.
        fleet: The clients.
        quick: Whether to make it short.
        is_timed: Whether lines about how long something took count: as a test, on a machine that does other things
            besides, a run is judged by what it counts alone.
        proofs: What shows that the fault took place.
        missing_proofs: What ought to show it, and did not.
        breaches: The lines, beside the five counts, that were not held.
        notes: Figures for the table.
        faults_ms: When harm was done.
        resources: What the clients need until the journal has ended: proxies.

    """

    system: System
    fleet: Fleet
    quick: bool
    is_timed: bool = True
    proofs: list[str] = field(default_factory=list)
    missing_proofs: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults_ms: list[float] = field(default_factory=list)
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)

    def rounds(self, full: int, quick: int) -> range:
        """Return how often to repeat something."""
        return range(quick if self.quick else full)

    def prove(self, happened: bool, sentence: str) -> None:  # noqa: FBT001 - reads like an assertion
        """Note that the fault took place, or that it did not."""
        (self.proofs if happened else self.missing_proofs).append(sentence)

    def hold(self, held: bool, sentence: str) -> None:  # noqa: FBT001 - the same
        """State a line: it was held, or else the row fails with this sentence."""
        if not held:
            self.breaches.append(sentence)

    def hold_time(self, held: bool, sentence: str) -> None:  # noqa: FBT001 - the same
        """State a line about how long something took, or how evenly it went."""
        self.hold(held or not self.is_timed, sentence)

    def note(self, sentence: str) -> None:
        """Add a figure to the table."""
        self.notes.append(sentence)

    def harm(self) -> float:
        """Note that harm is done now; returns the time in ms."""
        self.faults_ms.append(time.time() * 1000)
        return self.faults_ms[-1]

    def since(self, at_ms: float, kind: str) -> int:
        """Return how many entries of a kind the journal has since a time."""
        return sum(entry.kind == kind and entry.at_ms >= at_ms for entry in self.fleet.entries)

    async def gather(
        self, rooms: int = 8, *, prefix: str = "c", url: str | list[str] | None = None, **options: Any
    ) -> list[str]:
        """Open the usual clients, `MEMBERS` in each room; returns those that are to publish, two of each room."""
        names = {
            f"{prefix}{room}-{member}": [f"{prefix}-room-{room}"]
            for member in range(MEMBERS)
            for room in range(rooms)
        }
        await self.fleet.open(url or self.system.url, names, **options)
        return [name for name in names if int(name.rpartition("-")[2]) < PUBLISHERS]

    async def come_true(self, true: Callable[[], bool], sentence: str, *, within_s: float = 30) -> None:
        """Wait for what shows that the fault took place, and note whether it did."""
        try:
            await self.fleet.until(true, within_s=within_s)
        except TimeoutError:
            self.prove(False, sentence)  # noqa: FBT003 - the same
        else:
            self.prove(True, sentence)  # noqa: FBT003 - the same

    @asynccontextmanager
    async def load(
        self, publishers: list[str], *, rate: float = RATE, retry: bool = True
    ) -> AsyncIterator[None]:
        """Publish steadily while the context lasts, with a calm time before and after the harm."""
        await self.fleet.publish(publishers, rate=rate, retry=retry)
        await asyncio.sleep(_CALM_S)
        yield
        await asyncio.sleep(_CALM_S)
        await self.fleet.quiet()
        await asyncio.sleep(_CALM_S)


Scenario = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        id: As in the list of faults; a second word tells variants apart.
        fault: What is done.
        run: Does it; None if it is not written yet.
        gateways: How many there are.
        settings: What the services are told beside the usual.
        reconnections: Whether every reconnection has to be recovered, or none, or that is not this row's matter.
        back_within_s: How soon after the harm p99 has to be as before; None if that is not this row's matter.
        at_least: How many messages have to be acknowledged; with `--quick`, a third.
        isolated: Whether the first gateway runs in a network namespace of its own.
        failover: Whether all reach Redis through a proxy that can lead to another one.
        home: Makes a database of several processes, in a folder; None: it is one.

    """

    id: str
    fault: str
    run: Scenario | None
    gateways: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    reconnections: Literal["all recovered", "none recovered", "any"] = "all recovered"
    back_within_s: float | None = None
    at_least: int = 500
    isolated: bool = False
    failover: bool = False
    home: Callable[[Path], Home] | None = None
