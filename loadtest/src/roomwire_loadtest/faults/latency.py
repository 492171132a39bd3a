"""Latencies of messages: by receiver and time, and when they were back to normal after a fault. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import Final

from roomwire_loadtest.faults.journal import Entry

SLOW_MS: Final = 250.0
"""A window with a p99 above this is not back to normal."""
_WINDOW_MS: Final = 250.0
_LOOK_MS: Final = 10_000.0


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def p99_ms(entries: Iterable[Entry], receivers: Container[str], from_ms: float, to_ms: float) -> float:
    """Return the p99 of some receivers for the messages that were invoked within a period."""
    invoked: dict[str, float] = {}
    got: list[tuple[str, float]] = []
    for entry in entries:
        if entry.kind == "invoked":
            invoked.setdefault(entry.id, entry.at_ms)
        elif entry.kind == "got" and entry.client in receivers:
            got.append((entry.id, entry.at_ms))
    return quantile(
        [at_ms - invoked[id_] for id_, at_ms in got if from_ms <= invoked.get(id_, -1.0) < to_ms], 0.99
    )


def back_s(latencies_ms: Iterable[tuple[float, float]], faults_ms: Sequence[float]) -> float:
    """Return the longest time from a fault until p99 was normal again.

    Args:
        latencies_ms: The time of each message's invocation, and its latency.
        faults_ms: The times of the faults.

    """
    windows: dict[tuple[float, int], list[float]] = defaultdict(list)
    ordered = sorted(faults_ms)
    for invoked_ms, took_ms in latencies_ms:
        # Messages in flight at the fault belong to its first window.
        fault_ms = max((fault for fault in ordered if fault <= invoked_ms + took_ms), default=None)
        if fault_ms is not None and invoked_ms - fault_ms < _LOOK_MS:
            windows[fault_ms, max(0, int((invoked_ms - fault_ms) / _WINDOW_MS))].append(took_ms)
    slow = [number for (_, number), took in windows.items() if quantile(took, 0.99) > SLOW_MS]
    return (max(slow) + 1) * _WINDOW_MS / 1000 if slow else 0.0
