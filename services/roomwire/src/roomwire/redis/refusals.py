"""Interprets the primary's refusals, in one place."""

from typing import Final

from roomwire.errors import ClientError, Internal, Unavailable
from roomwire.logs import get_logger
from roomwire.redis.link import ReplyError

_log = get_logger(__name__)

# The link leads to a server that is not (or not yet) the primary of the log, or to another epoch: connect again.
_LINK_IS_STALE: Final = (
    "EPOCH",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "MOVED",
    "ASK",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "NOAUTH",
    # `min-replicas-to-write`: another server may have been promoted, which the search for the primary already finds.
    "NOREPLICAS",
)
# The server accepts nothing at the moment, and has done nothing.
_BUSY: Final = (
    "OOM",
    "MISCONF",
    "BUSY",
    "NOPROTO",
    # The slot is being moved key by key, and some keys are here, some there. Scripts check for missing keys
    # before they change anything.
    "TRYAGAIN",
    "ERR Script attempted to access a non local key",
    "ERR Attempted to access a non local key",
)


def is_stale(error: ReplyError) -> bool:
    """Return whether a refusal means that the link is useless."""
    return str(error).startswith(_LINK_IS_STALE)


def is_passing(error: ReplyError) -> bool:
    """Tell whether a refusal may end by itself: nothing was done, and trying again makes sense."""
    return str(error).startswith(_BUSY) or is_stale(error)


def translated(error: ReplyError) -> ClientError:
    """Return a refusal as the error that a caller gets; nothing was done."""
    if is_passing(error):
        return Unavailable("The log accepts nothing at the moment: try again.")
    _log.error("refused by redis", error=str(error))
    return Internal()
