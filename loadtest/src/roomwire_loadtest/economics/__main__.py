"""`python -m roomwire_loadtest.economics`: what a stranger's messages cost the stranger and the service, and what attacks do to others."""

import argparse
import datetime as dt
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.economics.attacks import Attack, Attacks
from roomwire_loadtest.economics.crowd import crowd
from roomwire_loadtest.economics.document import PATH, attacks, costs, filled
from roomwire_loadtest.economics.judging import is_dear
from roomwire_loadtest.economics.measuring import CLOSED, Cost, Measuring
from roomwire_loadtest.economics.results import Results
from roomwire_loadtest.economics.system import LIMITED, UNLIMITED, world
from roomwire_loadtest.economics.things import Row, missing_of, rows
from roomwire_loadtest.files import raise_file_limit
from roomwire_loadtest.machine import describe_machine

_REST_S = 2.0
_ATTACKED_CROWD = 200

Tell = Callable[[str], None]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.economics",
        description=__doc__,
        epilog="Exit codes: 0 everything that costs much is bounded, 1 something is not, 2 the list of things is not complete.",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each attack takes (60)")
    parser.add_argument("--crowd", type=int, default=1_000, help="how many clients are in the crowd (1000)")
    parser.add_argument("--most", type=int, default=50, help="how often each thing is sent, at most (50)")
    parser.add_argument("--only", default="", help="only things with this text in their name, to try")
    parser.add_argument("--write", action="store_true", help=f"write {PATH.name} and the kept results")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _arguments(argv)
    raise_file_limit()
    # At SIGTERM the program ends the system that it has started, as at every other end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {text}", flush=True)

    chosen = [row for row in rows() if arguments.only in row.name]
    date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    missing, found = _measured(chosen, arguments, tell)
    if missing:
        print(
            f"economics: the tables of `things` and the code differ in {', '.join(sorted(missing))}",
            file=sys.stderr,
        )
        return 2
    alone_ms, attacked = _attacked([*_worst(chosen, found)], arguments, tell)
    results = Results(
        date=date,
        machine=describe_machine(),
        crowd=arguments.crowd,
        attacked_crowd=_attacked_crowd(arguments.crowd),
        costs=found,
        alone_ms=alone_ms,
        attacks=attacked,
    )
    print(costs(results), attacks(results), sep="\n\n")
    if arguments.write:
        results.save(RESULTS)
        PATH.write_text(filled(PATH.read_text(encoding="utf-8"), results), encoding="utf-8")
    unbounded = [*results.unbounded()]
    for cost, reason in unbounded:
        print(
            f"NOT BOUNDED: {cost.name} ({cost.way}, {cost.state}): {cost.amplification:.0f} times, {cost.cpu_ms:.1f} ms; {reason}"
        )
    return 1 if unbounded else 0


def _attacked_crowd(crowd: int) -> int:
    """Return how many clients are in the crowd that is attacked: they read, which takes CPU from everything else."""
    return min(crowd, _ATTACKED_CROWD)


def _measured(
    chosen: Sequence[Row], arguments: argparse.Namespace, tell: Tell
) -> tuple[set[str], Sequence[Cost]]:
    """Return what the tables lack, or the costs of the rows."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), UNLIMITED) as attacked:
        auth, api = attacked.openapi()
        if missing := missing_of(auth=auth, api=api):
            return missing, []
        tell(f"gathering a crowd of {arguments.crowd:,}, and filling a room")
        attacked.gather(arguments.crowd)
        attacked.fill()
        measuring = Measuring(attacked, most=arguments.most, seconds=0.5)
        measuring.rest(_REST_S)
        tell(f"measuring {len(chosen)} things")
        found = [measuring.measure(row) for row in chosen]
        attacked.disperse()
    return set(), found


def _attacked(
    chosen: Sequence[tuple[Row, bool]], arguments: argparse.Namespace, tell: Tell
) -> tuple[float, Sequence[Attack]]:
    """Return the bystanders' 99th percentile without an attacker, and what came of each attack."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), LIMITED) as attacked:
        attacked.fill()
        members = _attacked_crowd(arguments.crowd)
        with crowd(attacked.gateway_port, attacked.guest_token, members):
            attacking = Attacks(attacked, seconds=arguments.seconds)
            found = []
            for row, ends_session in chosen:
                tell(f"attacking by {row.name}, {row.way}")
                found.append(attacking.attack(row, ends_session=ends_session))
    return attacking.alone_ms, found


def _worst(chosen: Sequence[Row], found: Sequence[Cost]) -> Iterator[tuple[Row, bool]]:
    """Yield a row of each thing that needs a charge, and whether it ends its session.

    Over WebSocket, where nothing waits to be accepted, it is sent with a token and without; over polling once.
    """
    seen = set[tuple[object, ...]]()
    dear = [(cost, row) for cost, row in zip(found, chosen, strict=True) if is_dear(cost)]
    for cost, row in sorted(dear, key=lambda pair: -pair[0].amplification):
        thing = (row.surface, row.name, row.token == "none")  # noqa: S105 - no token, but that there is none
        if thing not in seen:
            seen.add(thing)
            yield replace(row, way="WebSocket") if row.is_of_session else row, cost.outcome == CLOSED
        if row.way == "polling" and thing[:2] not in seen:
            seen.add(thing[:2])
            yield row, cost.outcome == CLOSED


if __name__ == "__main__":
    sys.exit(main())
