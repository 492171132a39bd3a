"""What can go wrong with the log, beside `roomwire.errors`.

::

    ConfigurationError
    ├── StreamsTooShortLived      rooms' streams would be gone before sessions and timeouts are over
    └── RedisEvicts               Redis would drop messages silently when its memory is full
    ClientError
    ├── NotFound
    │   └── SessionGone           the session of a socket's stream does not exist any more
    ├── RateLimited
    │   └── RejoinedTooOften      more intervals of one room than the log keeps of a session
    ├── TooLarge
    │   ├── EventTooLarge         an emitter's event
    │   └── MessageIdTooLong      a message id
    └── Unavailable
        ├── EmitterClosed         the emitter is closed
        ├── LogClosed             the log is closed
        ├── LogFull               too much waits for the log already
        ├── LogHeld               the link is being restored, and others have waited for it in vain
        ├── LogNotResumed         the link is there, and this gateway could not be brought up to date over it
        ├── LogSilent             the primary did not answer in time, or the link broke before the question was sent
        └── RedisUnreached        no connection with the primary

What belongs to the contract's results (`Fenced`, `NodeAway`, `NodeBusy`) stands in `contract`.
"""

from roomwire.errors import ConfigurationError, NotFound, RateLimited, TooLarge, Unavailable


class StreamsTooShortLived(ConfigurationError):
    """The streams of rooms do not live as long as sessions and timeouts need them.

    Args:
        stream_ttl_s: How long they live.
        least_s: How long they have to.

    """

    def __init__(self, stream_ttl_s: float, least_s: float) -> None:
        super().__init__(stream_ttl_s, least_s)
        self.stream_ttl_s = stream_ttl_s
        self.least_s = least_s

    def __str__(self) -> str:
        return f"a stream lifetime of {self.stream_ttl_s:g} s is too short: sessions and timeouts need {self.least_s:g} s"


class RedisEvicts(ConfigurationError):
    """Redis deletes keys when its memory is full.

    Args:
        policy: Its `maxmemory-policy`; empty if it does not say.

    """

    def __init__(self, policy: str) -> None:
        super().__init__(policy)
        self.policy = policy

    def __str__(self) -> str:
        return f"Redis has the maxmemory-policy {self.policy or 'unknown'}: set noeviction, otherwise messages would be lost silently"


class SessionGone(NotFound):
    """The session that a socket's stream belongs to does not exist any more."""

    default_message = "The session has ended."


class RejoinedTooOften(RateLimited):
    """A room was joined and left more often than the log keeps, and the client has confirmed none of it."""

    default_message = "The room was joined and left too often: try again later."


class EventTooLarge(TooLarge):
    """An emitter's event is larger than the gateways would send.

    Args:
        most: How many bytes it may have.
        size: How many it has.

    """

    def __init__(self, most: int, size: int) -> None:
        super().__init__(f"An event may have at most {most} bytes; this one has {size}.")
        self.most = most
        self.size = size


class MessageIdTooLong(TooLarge):
    """A message id is longer than the log stores.

    Args:
        most: How many bytes it may have.

    """

    def __init__(self, most: int) -> None:
        super().__init__(f"A message id may have at most {most} bytes.")
        self.most = most


class EmitterClosed(Unavailable):
    """The emitter was closed before."""

    default_message = "The emitter is closed."


class LogClosed(Unavailable):
    """The log was closed, or never opened."""

    default_message = "The log is closed."


class LogFull(Unavailable):
    """More calls wait for the log than it takes; nothing was done."""

    default_message = "Too many requests wait for the log: try again."


class LogHeld(Unavailable):
    """The link to the primary is being restored; nothing was done."""

    default_message = "The connection to the log is being restored: try again."


class LogNotResumed(Unavailable):
    """The primary is there, and this gateway could not be brought up to date.

    Args:
        reason: Why not.

    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The log cannot be resumed: {reason}")
        self.reason = reason


class LogSilent(Unavailable):
    """The primary did not answer; nothing was done."""

    default_message = "The log does not answer: try again."


class RedisUnreached(Unavailable):
    """There is no connection with the primary.

    Args:
        detail: What the system or the server says.

    """

    def __init__(self, detail: str) -> None:
        super().__init__(f"Redis cannot be reached: {detail}.")
        self.detail = detail
