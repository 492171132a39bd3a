"""A run, second by second, from its journal. Pure."""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.latency import quantile


class Second(msgspec.Struct, frozen=True):
    """One second of a run.

    Attributes:
        connected: Clients that were connected at its end.
        delivered: Messages that were sent in it and arrived at any time.
        p50_ms: Their median latency. None if there were none.
        p99_ms: The 99th percentile of their latency. None if there were none.

    """

    connected: int
    delivered: int
    p50_ms: float | None
    p99_ms: float | None


def timeline(entries: Iterable[Entry], latencies_ms: Iterable[tuple[float, float]]) -> list[Second]:
    """Return the seconds of a run, from its first entry to its last.

    Args:
        entries: The journal, in any order of clients.
        latencies_ms: For each message that arrived, the time at which it was sent and its latency.

    """
    entries = list(entries)
    if not entries:
        return []
    began_ms = min(entry.at_ms for entry in entries)
    count = int((max(entry.at_ms for entry in entries) - began_ms) / 1_000) + 1
    took: dict[int, list[float]] = defaultdict(list)
    for said_ms, took_ms in latencies_ms:
        took[int((said_ms - began_ms) / 1_000)].append(took_ms)
    changes = _changes(entries)
    ends = [began_ms + 1_000 * (number + 1) for number in range(count)]
    times = [at_ms for at_ms, _ in changes]
    return [
        Second(
            connected=changes[at - 1][1] if (at := bisect.bisect(times, end_ms)) else 0,
            delivered=len(took[number]),
            p50_ms=quantile(took[number], 0.5) if took[number] else None,
            p99_ms=quantile(took[number], 0.99) if took[number] else None,
        )
        for number, end_ms in enumerate(ends)
    ]


def _changes(entries: Sequence[Entry]) -> list[tuple[float, int]]:
    """Return each time at which the number of connected clients changed, with the new number."""
    connected: Counter[str] = Counter()
    changes = []
    for entry in sorted(entries, key=lambda entry: entry.at_ms):
        if entry.kind in {"connect", "disconnect", "closed"}:
            connected[entry.client] = int(entry.kind == "connect")
            changes.append((entry.at_ms, connected.total()))
    return changes
