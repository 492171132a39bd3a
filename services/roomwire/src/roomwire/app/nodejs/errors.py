"""The errors of this package, in addition to `roomwire.errors`. No client and no application sees them.

::

    RoomwireError
    ├── Refused      a message that is not performed
    └── LeaseLost    another gateway may be listening
"""

import enum

from roomwire.errors import RoomwireError


class Reason(enum.StrEnum):
    """Why a message is refused: a closed set, the same in the log and in metrics."""

    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    NAMESPACE = "namespace"
    FAILED = "failed"


class Refused(RoomwireError):
    """A message is not performed.

    Args:
        reason: The reason.

    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason.value


class LeaseLost(RoomwireError):
    """This gateway does not hold the lease any more."""

    def __str__(self) -> str:
        return "another gateway may be listening"
