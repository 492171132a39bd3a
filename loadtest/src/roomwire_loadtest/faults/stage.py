"""One run of one row: the system, the clients, and the scenario's statements about its fault.

A scenario causes the fault and states what it observed; only the oracle judges messages.
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
    """This machine cannot run the row; the message says what is missing."""


@dataclass
class Stage:
    """The context of a scenario.

    Attributes:
        system: The system under test.
        fleet: The clients.
        quick: Whether to run a short version.
        is_timed: Whether criteria about durations count. As a test, on a machine with other work, a run is judged by its
            counts alone.
        proofs: The proofs that the fault took place.
        missing_proofs: The proofs that are missing.
        breaches: The criteria, other than the five counts, that were not met.
        notes: Figures for the table.
        faults_ms: The times of the faults.
        resources: Resources that the clients need until the journal has ended, such as proxies.

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
        """Check a criterion: if it is not met, the row fails with this sentence."""
        if not held:
            self.breaches.append(sentence)

    def hold_time(self, held: bool, sentence: str) -> None:  # noqa: FBT001 - the same
        """Check a criterion about a duration, or about how evenly something was spread."""
        self.hold(held or not self.is_timed, sentence)

    def note(self, sentence: str) -> None:
        """Add a figure to the table."""
        self.notes.append(sentence)

    def harm(self) -> float:
        """Note that the fault happens now; returns the time in ms."""
        self.faults_ms.append(time.time() * 1000)
        return self.faults_ms[-1]

    def since(self, at_ms: float, kind: str) -> int:
        """Return the number of entries of a kind in the journal since a time."""
        return sum(entry.kind == kind and entry.at_ms >= at_ms for entry in self.fleet.entries)

    async def gather(
        self, rooms: int = 8, *, prefix: str = "c", url: str | list[str] | None = None, **options: Any
    ) -> list[str]:
        """Open the usual clients, `MEMBERS` in each room; returns the publishers, two of each room."""
        names = {
            f"{prefix}{room}-{member}": [f"{prefix}-room-{room}"]
            for member in range(MEMBERS)
            for room in range(rooms)
        }
        await self.fleet.open(url or self.system.url, names, **options)
        return [name for name in names if int(name.rpartition("-")[2]) < PUBLISHERS]

    async def come_true(self, true: Callable[[], bool], sentence: str, *, within_s: float = 30) -> None:
        """Wait for the proof that the fault took place, and note whether it came."""
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
        """Publish at a steady rate while the context lasts, with a calm period before and after the fault."""
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
        id: The fault's id in the list of faults; a second word distinguishes variants.
        fault: The fault.
        run: Runs the scenario; None if it is not written yet.
        gateways: The number of gateways.
        settings: Additional settings of the services.
        reconnections: Whether every reconnection has to be recovered, or none, or any is acceptable.
        back_within_s: Time limit after the fault for p99 to be normal again; None if the row does not check it.
        at_least: The required number of acknowledged messages; a third of it with `--quick`.
        isolated: Whether the first gateway runs in its own network namespace.
        failover: Whether all services reach Redis through a proxy that can forward to another server.
        home: Creates a database of several processes in a folder; None for a single process.

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
