"""How long messages took: by receiver and time, and when they were as quick again as before a fault. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import Final

from roomwire_loadtest.faults.journal import Entry

SLOW_MS: Final = 250.0
"""A window whose p99 lies above is not back to normal."""
_WINDOW_MS: Final = 250.0
_LOOK_MS: Final = 10_000.0


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def p99_ms(entries: Iterable[Entry], receivers: Container[str], from_ms: float, to_ms: float) -> float:
    """Return the p99 of what some receivers got of the messages that were invoked within a time."""
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
    """Return the longest time after a fault until p99 was normal again.

    Args:
        latencies_ms: When messages were invoked, and how long each took.
        faults_ms: When the harm was done.

    """
    windows: dict[tuple[float, int], list[float]] = defaultdict(list)
    ordered = sorted(faults_ms)
    for invoked_ms, took_ms in latencies_ms:
        # What was under way when the harm was done is of its first window.
        fault_ms = max((fault for fault in ordered if fault <= invoked_ms + took_ms), default=None)
        if fault_ms is not None and invoked_ms - fault_ms < _LOOK_MS:
            windows[fault_ms, max(0, int((invoked_ms - fault_ms) / _WINDOW_MS))].append(took_ms)
    slow = [number for (_, number), took in windows.items() if quantile(took, 0.99) > SLOW_MS]
    return (max(slow) + 1) * _WINDOW_MS / 1000 if slow else 0.0
