"""Measures the memory of Redis' keys, and its traffic."""

from collections.abc import Mapping
from typing import Final

import redis

_PATTERNS: Final[Mapping[str, str]] = {
    "session": "rw:{0}:session:*",
    "direct": "rw:{0}:room:s:*",
    "log": "rw:{0}:room:r:*",
    "presence": "rw:{0}:members:*",
    "due": "rw:{0}:due",
    "history": "rw:{0}:history:*",
}
"""The kinds of data that are measured, and the keys of each."""
_BATCH: Final = 1_000


def weigh(client: redis.Redis, *, only: str = "") -> dict[str, float]:
    """Return the bytes of all keys of each kind, or only of keys whose name contains a text."""
    weights: dict[str, float] = {}
    for what, pattern in _PATTERNS.items():
        keys = list(client.scan_iter(f"{pattern}{only}*" if only else pattern, count=_BATCH))
        total = 0
        for start in range(0, len(keys), _BATCH):
            pipe = client.pipeline(transaction=False)
            for key in keys[start : start + _BATCH]:
                pipe.memory_usage(key, samples=0)
            # Keys that have expired meanwhile have no size.
            total += sum(size or 0 for size in pipe.execute())
        weights[what] = float(total)
    return weights


def grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the growth of each kind."""
    return {what: after[what] - before[what] for what in before}


def traffic(client: redis.Redis) -> tuple[int, int]:
    """Return the bytes that Redis has received and sent since it started."""
    found = client.info("stats")
    return int(found["total_net_input_bytes"]), int(found["total_net_output_bytes"])
