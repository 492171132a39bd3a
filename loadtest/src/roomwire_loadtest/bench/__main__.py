"""Compares Roomwire with the servers that one would use instead: the same clients, the same events, one core each.

Every server is one process on one core, or, in the rows called `nodes-`, several processes and a Redis on one core; the
generator has another core. In each row the servers take turns, round after round, so that a drift of the machine
affects all of them.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from roomwire_loadtest.bench.measuring import Measuring
from roomwire_loadtest.bench.report.files import write
from roomwire_loadtest.bench.results import Run
from roomwire_loadtest.bench.rows.comparison import ROWS
from roomwire_loadtest.bench.rows.trial import FULL, QUICK
from roomwire_loadtest.bench.servers.kinds import KINDS
from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.files import raise_file_limit


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.bench",
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
    parser.add_argument(
        "--most-s",
        type=float,
        default=0.0,
        help="begin no further round of a row after this time (0: no limit)",
    )
    parser.add_argument("--name", help="of the files of results (bench; with --quick quick)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
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
    # At SIGTERM the program ends the server that it has started, as at every other end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.sched_setaffinity(0, {cores[1]})
    effort, rounds = (QUICK, arguments.rounds or 1) if arguments.quick else (FULL, arguments.rounds or 3)
    measuring = Measuring(cores[0], effort, patience_s=arguments.patience_s, most_s=arguments.most_s)
    run = measuring.run(arguments.rows, arguments.servers, rounds, quick=arguments.quick)
    print("\n" + write(run, arguments.output, arguments.name or ("quick" if arguments.quick else "bench")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
