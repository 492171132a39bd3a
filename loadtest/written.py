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


def main(folder: Path = RESULTS) -> int:
    """Write tables and plots of the last benchmark, load run and measurements; returns the exit status.

    Args:
        folder: Where their JSON is, and where all is written.

    """
    bench.show(Run.load(folder / "bench.json"), folder, "bench")
    Record.load(folder / "load.json").save(folder)
    capacity.write(Result.load(folder / f"{NAME}.json"), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
