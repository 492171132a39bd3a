"""The pending decisions about one connection, per namespace. Pure.

Each namespace has one decision at a time. A client may change its request in the meantime: React's StrictMode, for example,
connects, disconnects and connects again in one tick, and the client library sends only the two CONNECTs. The last request counts
and is decided next. The refusals of a connection are delayed more and more, separately for each namespace; other namespaces do
not wait for that.
"""

import enum
from typing import Final

from roomwire.protocol.values import encode

FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 8.0
MAX_LATE: Final = 64
_MAX_KEPT_BYTES: Final = 8_192


class Asked(enum.Enum):
    """A client's request other than a CONNECT, which is represented by its `auth`, or a CONNECT whose `auth` is too large."""

    NOTHING = enum.auto()
    LEAVE = enum.auto()
    TOO_LARGE = enum.auto()


class Admissions:
    """The decisions about one connection.

    Args:
        max_prompt_refusals: Number of refusals that are answered immediately.

    """

    __slots__ = ("_deciding", "_late", "_max_prompt_refusals", "_refusals")

    def __init__(self, *, max_prompt_refusals: int) -> None:
        self._deciding: dict[str, object] = {}
        self._late: dict[str, object] = {}
        self._max_prompt_refusals = max_prompt_refusals
        self._refusals = 0

    @property
    def is_idle(self) -> bool:
        """Whether there is no state about this connection."""
        return not (self._deciding or self._late or self._refusals)

    @property
    def is_full(self) -> bool:
        """Whether the maximum number of refusals waits to be answered."""
        return len(self._late) >= MAX_LATE

    def notes(self, namespace: str, asked: object) -> bool:
        """Store a request that must wait for an earlier one and return True; otherwise return False."""
        if namespace in self._deciding:
            self._deciding[namespace] = asked
            return True
        if namespace not in self._late:
            return False
        # A request that is too large to be stored gets the answer to the one before it.
        self._late[namespace] = asked if _is_small(asked) else Asked.NOTHING
        return True

    def is_deciding(self, namespace: str) -> bool:
        """Return whether a decision is pending."""
        return namespace in self._deciding

    def begin(self, namespace: str) -> None:
        """Note that a decision has begun."""
        self._deciding[namespace] = Asked.NOTHING

    def latest(self, namespace: str, asked: object) -> object:
        """Return the client's latest request, which may differ from the earlier one."""
        newer, self._deciding[namespace] = self._deciding[namespace], Asked.NOTHING
        return asked if newer is Asked.NOTHING else newer

    def next(self, namespace: str) -> object:
        """Return the request to decide next. A request behind a delayed refusal waits until that is due."""
        asked, self._deciding[namespace] = self._deciding[namespace], Asked.NOTHING
        if namespace in self._late and asked is not Asked.NOTHING:
            self._late[namespace] = asked
            return Asked.NOTHING
        return asked

    def end(self, namespace: str) -> None:
        """Note that there is nothing left to decide."""
        self._deciding.pop(namespace, None)

    def refuse(self, namespace: str) -> float:
        """Count a refusal; return the seconds for which it must wait until `answer`. With `0` it is answered immediately."""
        self._refusals += 1
        beyond = self._refusals - self._max_prompt_refusals
        if beyond <= 0:
            return 0.0
        self._late[namespace] = Asked.NOTHING
        # The exponent has a limit, as the number has.
        return min(FIRST_DELAY_S * 2.0 ** min(beyond - 1, 16), LONGEST_DELAY_S)

    def answer(self, namespace: str) -> object:
        """Return the request that arrived while a refusal waited. It is decided in place of the earlier one's answer."""
        return self._late.pop(namespace, Asked.NOTHING)


def _is_small(asked: object) -> bool:
    return isinstance(asked, Asked) or len(encode(asked)) <= _MAX_KEPT_BYTES
