"""Roomwire beside the servers one would take instead: the same clients, the same events, one core each.

Every server is one process on one core, or in the rows called `nodes-` several and a Redis on one core; the generator
has another. For each row all servers take their turn, round after round, so that what drifts on the machine drifts for
all.
"""

import argparse
import datetime as dt
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from files import raise_file_limit
from links import LinkError
from machine import describe_machine
from plot import plot
from report import report
from results import Figure, Point, Run
from rows import ROWS
from scanner import FrameError
from servers import KINDS, Absent
from trial import FULL, QUICK, Effort, Trial
from usage import await_rest

_RESULTS: Final = Path(__file__).parent / "results"


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python loadtest/bench.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), help="default: all")
    parser.add_argument("--servers", nargs="+", choices=list(KINDS), default=list(KINDS), help="default: all")
    parser.add_argument("--rounds", type=int, help="how often each row is repeated (3; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="shorter, smaller, once: for a first look")
    parser.add_argument(
        "--patience-s", type=float, default=5.0, help="how long to wait for a machine at rest, each time (5)"
    )
    parser.add_argument("--name", help="of the files of results (bench; with --quick quick)")
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the results")
    parser.add_argument("--report", type=Path, metavar="JSON", help="only write the report of a run again")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parse(argv)
    if arguments.report:
        write(Run.load(arguments.report), arguments.output, arguments.name or arguments.report.stem)
        return 0
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:  # noqa: PLR2004 - one for each
        print("this benchmark needs two cores: one for the server, one for the generator", file=sys.stderr)
        return 1
    raise_file_limit()
    # Told to stop, it ends the server it has started, as it does at every other end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.sched_setaffinity(0, {cores[1]})
    effort, rounds = (QUICK, arguments.rounds or 1) if arguments.quick else (FULL, arguments.rounds or 3)
    measuring = Measuring(cores[0], effort, patience_s=arguments.patience_s)
    run = measuring.run(arguments.rows, arguments.servers, rounds, quick=arguments.quick)
    print("\n" + write(run, arguments.output, arguments.name or ("quick" if arguments.quick else "bench")))
    return 0


class Measuring:
    """A run under way.

    Args:
        core: The servers'.
        effort: How much of everything.
        patience_s: How long to wait, each time, until nothing else is at work; it is measured all the same then.

    """

    def __init__(self, core: int, effort: Effort, *, patience_s: float = 0.0) -> None:
        self._core = core
        self._patience_s = patience_s
        self._effort = effort
        self._began = time.monotonic()
        self._figures: list[Figure] = []
        self._points: list[Point] = []

    def run(self, rows: Sequence[str], servers: Sequence[str], rounds: int, *, quick: bool) -> Run:
        """Measure; a server that cannot be measured is noted with its reason."""
        date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        absent, versions = self._prepare(servers)
        for row in rows:
            for number in range(1, rounds + 1):
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


def write(run: Run, folder: Path, name: str) -> str:
    """Write the JSON, the table and the plots; returns the table."""
    folder.mkdir(parents=True, exist_ok=True)
    run.save(folder / f"{name}.json")
    return show(run, folder, name)


def show(run: Run, folder: Path, name: str) -> str:
    """Write the table and the plots, which are made of the run alone; returns the table."""
    text = report(run, plot_file=f"{name}.svg")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    plot(run, [folder / f"{name}.svg", folder / f"{name}.png"])
    return text


if __name__ == "__main__":
    sys.exit(main())
