"""Places in the log: positions, epochs, and the offset that a client holds. Pure."""

import re
import secrets
import time
from typing import Final, NamedTuple, NewType

import msgspec

Position = NewType("Position", int)
"""A place in the log. Every change of the log takes the next one; within a history that was kept they never go back."""

Epoch = NewType("Epoch", str)
"""Names a stretch of the log in which nothing was lost: it changes with every incarnation of the primary.

Epochs are ordered as texts: each begins with the primary's time in ms, 11 hexadecimal digits, or a later one if that is
not above those before it; what follows is random, so that no two primaries begin the same one.
"""

START: Final = Position(0)
"""Before everything."""

EPOCH_SUFFIX_BYTES: Final = 3

_OFFSET: Final = re.compile(r"([A-Za-z0-9_-]{1,32})\.(0|[1-9][0-9]{0,15})")


class End(NamedTuple):
    """How an epoch ended: at a position; broken if somebody knew of later ones, so that all have to be told."""

    position: Position
    is_broken: bool


def new_epoch() -> Epoch:
    """Return an epoch that begins now, for a log that has none before it."""
    return Epoch(f"{time.time_ns() // 1_000_000:011x}{secrets.token_urlsafe(EPOCH_SUFFIX_BYTES)}")


class Offset(msgspec.Struct, frozen=True, gc=False):
    """How much of the log somebody has, in the epoch in which that was true. As text: `<epoch>.<position>`."""

    epoch: Epoch
    position: Position

    def __str__(self) -> str:
        return f"{self.epoch}.{self.position}"


def parse_offset(text: str) -> Offset | None:
    """Return the offset that a client sent back, or None if the text is none of ours."""
    found = _OFFSET.fullmatch(text)
    return None if found is None else Offset(Epoch(found[1]), Position(int(found[2])))
