"""Writes everything again that is made of kept results: `make report`. Nothing is measured."""

import sys
from pathlib import Path
from typing import Final

import bench
import capacity.__main__ as capacity
from capacity.results import NAME, Result
from load.record import Record
from results import Run

_RESULTS: Final = Path(__file__).parent / "results"


def main() -> int:
    """Write tables and plots of the last benchmark, load run and measurements; returns the exit status."""
    bench.write(Run.load(_RESULTS / "bench.json"), _RESULTS, "bench")
    Record.load(_RESULTS / "load.json").save(_RESULTS)
    capacity.write(Result.of(Result.load(_RESULTS / f"{NAME}.json").measured), _RESULTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
