"""What the primary's refusals mean, in one place."""

from typing import Final

from roomwire.errors import ClientError, Internal, Unavailable
from roomwire.logs import get_logger
from roomwire.redis.link import ReplyError

_log = get_logger(__name__)

# The link leads to a server that is not (or not yet) the primary of the log, or to another epoch: begin again.
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
    # `min-replicas-to-write`: perhaps another one was promoted, and whoever finds the primary knows already.
    "NOREPLICAS",
)
# It takes nothing for the moment, and has done nothing.
_BUSY: Final = (
    "OOM",
    "MISCONF",
    "BUSY",
    "NOPROTO",
    # The slot is being moved, key by key, and some keys are here, some there. Scripts look for what may be missing
    # before they change anything.
    "TRYAGAIN",
    "ERR Script attempted to access a non local key",
    "ERR Attempted to access a non local key",
)


def is_stale(error: ReplyError) -> bool:
    """Tell whether a refusal means that the link is of no use any more."""
    return str(error).startswith(_LINK_IS_STALE)


def is_passing(error: ReplyError) -> bool:
    """Tell whether a refusal may end by itself: nothing was done, and trying again makes sense."""
    return str(error).startswith(_BUSY) or is_stale(error)


def translated(error: ReplyError) -> ClientError:
    """Return a refusal as the error that a caller gets; nothing was done."""
    if is_passing(error):
        return Unavailable("The log takes nothing at the moment: try again.")
    _log.error("refused by redis", error=str(error))
    return Internal()
