"""A run of the benchmark: the servers take turns in each row, round after round; a run that ends early has fewer rounds, not fewer rows."""

import datetime as dt
import time
from collections.abc import Sequence

import psutil

from roomwire_loadtest.bench.results import Figure, Point, Run
from roomwire_loadtest.bench.rows.comparison import ROWS
from roomwire_loadtest.bench.rows.trial import Effort, Trial
from roomwire_loadtest.bench.servers.kinds import KINDS, Absent
from roomwire_loadtest.generator.links import LinkError
from roomwire_loadtest.generator.scanner import FrameError
from roomwire_loadtest.machine import describe_machine
from roomwire_loadtest.usage import await_rest


class Measuring:
    """A run in progress.

    Args:
        core: The servers' core.
        effort: The sizes and durations.
        patience_s: How long to wait, each time, for the machine to be idle; after that the measurement is taken anyway.
        most_s: Time after which no further round of a row is begun; what is then missing is reported as not measured. 0: no limit.

    """

    def __init__(self, core: int, effort: Effort, *, patience_s: float = 0.0, most_s: float = 0.0) -> None:
        self._core = core
        self._most_s = most_s
        self._patience_s = patience_s
        self._effort = effort
        self._began = time.monotonic()
        self._figures: list[Figure] = []
        self._points: list[Point] = []

    def run(self, rows: Sequence[str], servers: Sequence[str], rounds: int, *, quick: bool) -> Run:
        """Measure; a server that cannot be measured is noted with the reason."""
        date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        absent, versions = self._prepare(servers)
        for number in range(1, rounds + 1):
            for row in rows:
                if self._most_s and time.monotonic() - self._began > self._most_s:
                    self._tell(f"{row}, round {number}: no time is left")
                    continue
                for name in servers:
                    if name not in absent and name in ROWS[row].servers:
                        self._measure(row, name, number)
        return Run(
            date=date,
            quick=quick,
            rounds=rounds,
            machine=describe_machine(),
            versions=versions,
            servers={name: KINDS[name].label for name in servers},
            nodes=[name for name in servers if KINDS[name].nodes],
            absent=absent,
            figures=self._figures,
            points=self._points,
        )

    def _prepare(self, servers: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        absent, versions = {}, {}
        for name in servers:
            self._tell(f"{name}: installing what it needs")
            try:
                KINDS[name].command()
                versions[name] = ", ".join(f"{what} {v}" for what, v in KINDS[name].versions().items())
            except Absent as reason:
                absent[name] = str(reason)
                self._tell(f"{name} is absent: {reason}")
        return absent, versions

    def _measure(self, row: str, name: str, number: int) -> None:
        if not await_rest(self._patience_s):
            self._tell("something else is at work on this machine")
        self._tell(f"{row}, round {number}, {name}")
        trial = Trial(
            KINDS[name], number, self._core, self._effort, lambda text: print(f"        {text}", flush=True)
        )
        try:
            found = ROWS[row].run(trial)
        except (Absent, LinkError, FrameError, OSError, psutil.Error) as error:
            note = f"failed: {error}"
            self._figures.append(Figure(row=row, server=name, round=number, value=None, note=note))
            self._tell(f"{row}, round {number}, {name}: {note}")
            return
        self._points += found.points
        self._figures += found.figures
        for figure in found.figures:
            value = "none" if figure.value is None else f"{figure.value:,.2f}"
            print(
                f"        {figure.row}: {'at least ' * figure.at_least}{value} {figure.note} "
                f"(CPU: generator {figure.generator_cpu:.0%}, server {figure.server_cpu:.0%}, "
                f"others {figure.others_cpu:.0%})",
                flush=True,
            )

    def _tell(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:5.0f} s] {text}", flush=True)
