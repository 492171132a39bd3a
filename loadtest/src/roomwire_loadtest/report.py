"""Rewrites everything that is generated from kept results: `make report`. Nothing is measured."""

import sys
from pathlib import Path

from roomwire_loadtest.bench.report.files import show
from roomwire_loadtest.bench.results import Run
from roomwire_loadtest.capacity.costs.results import NAME, Result
from roomwire_loadtest.capacity.report.files import write
from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.load.record import Record


def main(folder: Path = RESULTS) -> int:
    """Write the tables and plots of the last benchmarks, load run and measurements; returns the exit status.

    Args:
        folder: The folder of their JSON files, and of the output.

    """
    for name in ("bench", "drop-in"):
        show(Run.load(folder / f"{name}.json"), folder, name)
    Record.load(folder / "load.json").save(folder)
    write(Result.load(folder / f"{NAME}.json"), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
