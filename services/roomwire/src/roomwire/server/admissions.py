"""What is being decided about one connection, namespace by namespace. Pure.

In each namespace there is one decision at a time. A client may change its mind meanwhile: React's StrictMode, say, connects,
disconnects and connects again in one tick, and the client library tells only of the two CONNECTs. What it asked for last
counts, and is decided next. A connection that is refused again and again is answered later and later, each namespace for
itself; what goes on in others does not wait for that.
"""

import enum
from typing import Final

from roomwire.protocol.values import encode

FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 8.0
MAX_LATE: Final = 64
_MAX_KEPT_BYTES: Final = 8_192


class Asked(enum.Enum):
    """What a client asks for, beside a CONNECT, which is its `auth`."""

    NOTHING = enum.auto()
    LEAVE = enum.auto()


class Admissions:
    """The decisions about one connection.

    Args:
        max_prompt_refusals: How many refusals are answered at once.

    """

    __slots__ = ("_deciding", "_late", "_max_prompt_refusals", "_refusals")

    def __init__(self, *, max_prompt_refusals: int) -> None:
        self._deciding: dict[str, object] = {}
        self._late: dict[str, object] = {}
        self._max_prompt_refusals = max_prompt_refusals
        self._refusals = 0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to know about this connection."""
        return not (self._deciding or self._late or self._refusals)

    @property
    def is_full(self) -> bool:
        """Whether as many refusals wait to be answered as may."""
        return len(self._late) >= MAX_LATE

    def notes(self, namespace: str, asked: object) -> bool:
        """Note what a client asks for if it has to wait, because of what was asked for before; else False."""
        if namespace in self._deciding:
            self._deciding[namespace] = asked
            return True
        if namespace not in self._late:
            return False
        # What is too large to be kept is answered as what was before it.
        self._late[namespace] = asked if _is_small(asked) else Asked.NOTHING
        return True

    def begin(self, namespace: str) -> None:
        """Note that a decision has begun."""
        self._deciding[namespace] = Asked.NOTHING

    def latest(self, namespace: str, asked: object) -> object:
        """Return what a client asks for now: something else, perhaps, than what it asked for before."""
        newer, self._deciding[namespace] = self._deciding[namespace], Asked.NOTHING
        return asked if newer is Asked.NOTHING else newer

    def next(self, namespace: str) -> object:
        """Return what is to be decided next; what was asked for behind a late refusal waits until that is due."""
        asked, self._deciding[namespace] = self._deciding[namespace], Asked.NOTHING
        if namespace in self._late and asked is not Asked.NOTHING:
            self._late[namespace] = asked
            return Asked.NOTHING
        return asked

    def end(self, namespace: str) -> None:
        """Note that there is nothing to be decided any more."""
        self._deciding.pop(namespace, None)

    def refuse(self, namespace: str) -> float:
        """Count a refusal; returns how many seconds it has to wait, until `answer`. 0: it is answered at once."""
        self._refusals += 1
        beyond = self._refusals - self._max_prompt_refusals
        if beyond <= 0:
            return 0.0
        self._late[namespace] = Asked.NOTHING
        # The exponent is bounded, as is the number.
        return min(FIRST_DELAY_S * 2.0 ** min(beyond - 1, 16), LONGEST_DELAY_S)

    def answer(self, namespace: str) -> object:
        """Return what was asked for while a refusal waited, to be decided instead of an answer to what was before."""
        return self._late.pop(namespace, Asked.NOTHING)


def _is_small(asked: object) -> bool:
    return isinstance(asked, Asked) or len(encode(asked)) <= _MAX_KEPT_BYTES
