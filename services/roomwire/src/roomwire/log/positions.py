"""Positions in the log, epochs, and the offset that a client holds. Pure."""

import re
import secrets
import time
from typing import Final, NamedTuple, NewType

import msgspec

Position = NewType("Position", int)
"""A position in the log. Every change of the log takes the next one. Positions never decrease unless data are lost."""

Epoch = NewType("Epoch", str)
"""The name of a period in which the log lost nothing. It changes with every incarnation of the primary.

Epochs are ordered as texts: each begins with the primary's time in ms, 11 hexadecimal digits, or a later one if that is
not above those before it; a random suffix follows, so that no two primaries begin the same epoch.
"""

START: Final = Position(0)
"""The position before everything."""

EPOCH_SUFFIX_BYTES: Final = 3

_OFFSET: Final = re.compile(r"([A-Za-z0-9_-]{1,32})\.(0|[1-9][0-9]{0,15})")


class End(NamedTuple):
    """The end of an epoch at a position. The epoch is broken if a gateway knew later positions; all clients must then be told."""

    position: Position
    is_broken: bool


def new_epoch() -> Epoch:
    """Return an epoch that begins now, for a log that has none before it."""
    return Epoch(f"{time.time_ns() // 1_000_000:011x}{secrets.token_urlsafe(EPOCH_SUFFIX_BYTES)}")


class Offset(msgspec.Struct, frozen=True, gc=False):
    """The position up to which a client or gateway has the log, with its epoch. As text: `<epoch>.<position>`."""

    epoch: Epoch
    position: Position

    def __str__(self) -> str:
        return f"{self.epoch}.{self.position}"


def parse_offset(text: str) -> Offset | None:
    """Return the offset that a client sent back, or None if the text is not one of ours."""
    found = _OFFSET.fullmatch(text)
    return None if found is None else Offset(Epoch(found[1]), Position(int(found[2])))
