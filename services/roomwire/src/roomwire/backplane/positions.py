"""Places in the log: positions, epochs, and the offset that a client holds. Pure."""

import re
from typing import Final, NewType

import msgspec

Position = NewType("Position", int)
"""A place in the log. Every change of the log takes the next one; within a history that was kept they never go back."""

Epoch = NewType("Epoch", str)
"""Names a stretch of the log in which nothing was lost: it changes with every incarnation of the primary."""

START: Final = Position(0)
"""Before everything."""

_OFFSET: Final = re.compile(r"([A-Za-z0-9_-]{1,32})\.(0|[1-9][0-9]{0,15})")


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
