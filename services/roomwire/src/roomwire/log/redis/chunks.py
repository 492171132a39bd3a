"""Lists in pieces: itertools.batched, which Python 3.11 does not have."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield a sequence in pieces of at most `size`."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
