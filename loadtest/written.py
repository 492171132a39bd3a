"""Writes everything again that is made of kept results: `make report`. Nothing is measured."""

import sys
from pathlib import Path
from typing import Final

import bench
import capacity.__main__ as capacity
from capacity.results import NAME, Result
from load.record import Record
from results import Run

RESULTS: Final = Path(__file__).parent / "results"


def main() -> int:
    """Write tables and plots of the last benchmark, load run and measurements; returns the exit status."""
    bench.show(Run.load(RESULTS / "bench.json"), RESULTS, "bench")
    Record.load(RESULTS / "load.json").save(RESULTS)
    capacity.write(Result.load(RESULTS / f"{NAME}.json"), RESULTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
