"""Runs the fault suite and prints one table: `make faults`.

Environment:

- `FAULTS`: run only these rows, such as `FAULTS="K1 K7"`.
- `ALLOW_SKIP`: rows that may be skipped, such as `ALLOW_SKIP=K8`; any other skipped row fails the run.
"""

import argparse
import asyncio
import os
import signal
import sys
from typing import Final

from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.faults.judge import play
from roomwire_loadtest.faults.report import PASS, SKIP, Outcome, table
from roomwire_loadtest.faults.scenarios import ROWS

_RESULTS: Final = RESULTS / "faults"


def _chosen(wanted: list[str]) -> list[str]:
    known = {row.id.split()[0] for row in ROWS}
    if unknown := set(wanted) - known:
        sys.exit(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return wanted or sorted(known)


def passes(outcomes: list[Outcome], allow_skip: set[str]) -> bool:
    """Return whether a run passed: every row passed, or was skipped and may be."""
    return all(
        outcome.verdict == PASS or (outcome.verdict == SKIP and outcome.id.split()[0] in allow_skip)
        for outcome in outcomes
    )


async def _play_all(wanted: list[str], *, quick: bool) -> list[Outcome]:
    outcomes = []
    for row in ROWS:
        if row.id.split()[0] in wanted:
            print(f"{row.id}: {row.fault} ...", flush=True)
            outcomes.append(await play(row, quick=quick, journals=_RESULTS))
            print(f"{row.id}: {outcomes[-1].verdict}", flush=True)
    return outcomes


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter times")
    arguments = parser.parse_args()
    # At SIGTERM the run ends everything that it has started, as at any other end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = _chosen(os.environ.get("FAULTS", "").split())
    outcomes = asyncio.run(_play_all(wanted, quick=arguments.quick))
    text = table(outcomes)
    _RESULTS.mkdir(parents=True, exist_ok=True)
    (_RESULTS / "table.txt").write_text(text + "\n")
    print(f"\n{text}")
    return 0 if passes(outcomes, set(os.environ.get("ALLOW_SKIP", "").split())) else 1


sys.exit(main())
