"""The errors of the log, in addition to `roomwire.errors`.

::

    ConfigurationError
    ├── StreamsTooShortLived      the streams of rooms would end before sessions and timeouts
    └── RedisEvicts               Redis would drop messages silently when its memory is full
    ClientError
    ├── NotFound
    │   └── SessionGone           the session of a socket's stream does not exist any more
    ├── RateLimited
    │   └── RejoinedTooOften      a room was joined and left more often than a session stores
    ├── TooLarge
    │   ├── EventTooLarge         an emitter's event
    │   └── MessageIdTooLong      a message id
    └── Unavailable
        ├── EmitterClosed         the emitter is closed
        ├── LogCrowded            memory runs out, and nothing new is made for this class of clients
        ├── LogClosed             the log is closed
        ├── LogFull               too many calls wait for the log
        ├── LogHeld               the link is being restored, and earlier callers waited in vain
        ├── LogNotResumed         the link is restored, but this gateway could not be brought up to date
        ├── LogSilent             the primary did not answer in time, or the link broke before the request was sent
        ├── NotReadByAll          a registered gateway does not read the entry's format
        └── RedisUnreached        the primary cannot be reached

Errors that are part of the contract's results (`Fenced`, `NodeAway`, `NodeBusy`) are in `contract`.
"""

from roomwire.errors import ConfigurationError, NotFound, RateLimited, TooLarge, Unavailable


class StreamsTooShortLived(ConfigurationError):
    """The lifetime of rooms' streams is shorter than sessions and timeouts require.

    Args:
        stream_ttl_s: The lifetime of streams.
        least_s: The required lifetime.

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
        policy: Its `maxmemory-policy`; empty if it is unknown.

    """

    def __init__(self, policy: str) -> None:
        super().__init__(policy)
        self.policy = policy

    def __str__(self) -> str:
        return f"Redis has the maxmemory-policy {self.policy or 'unknown'}: set noeviction, otherwise messages would be lost silently"


class SessionGone(NotFound):
    """The session of a socket's stream no longer exists."""

    default_message = "The session has ended."


class RejoinedTooOften(RateLimited):
    """A room was joined and left more often than the log stores without a confirmation of the client."""

    default_message = "The room was joined and left too often: try again later."


class EventTooLarge(TooLarge):
    """An emitter's event is larger than events of gateways may be.

    Args:
        most: The maximum size in bytes.
        size: The event's size in bytes.

    """

    def __init__(self, most: int, size: int) -> None:
        super().__init__(f"An event may have at most {most} bytes; this one has {size}.")
        self.most = most
        self.size = size


class MessageIdTooLong(TooLarge):
    """A message id is longer than the log accepts.

    Args:
        most: The maximum size in bytes.

    """

    def __init__(self, most: int) -> None:
        super().__init__(f"A message id may have at most {most} bytes.")
        self.most = most


class EmitterClosed(Unavailable):
    """The emitter is closed."""

    default_message = "The emitter is closed."


class LogClosed(Unavailable):
    """The log is closed, or was never opened."""

    default_message = "The log is closed."


class LogCrowded(Unavailable):
    """Memory runs out, or guests use their share of it: no new session or room is made; nothing was done.

    Args:
        what: What was refused: `session`, `join` or `room`.

    """

    default_message = "New connections and rooms are not accepted at the moment: try again later."

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what


class LogFull(Unavailable):
    """Too many calls wait for the log; nothing was done."""

    default_message = "Too many requests wait for the log: try again."


class LogHeld(Unavailable):
    """The link to the primary is being restored; nothing was done."""

    default_message = "The connection to the log is being restored: try again."


class LogNotResumed(Unavailable):
    """The primary answers, but this gateway could not be brought up to date.

    Args:
        reason: The reason.

    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The log cannot be resumed: {reason}")
        self.reason = reason


class LogSilent(Unavailable):
    """The primary did not answer; nothing was done."""

    default_message = "The log does not answer: try again."


class NotReadByAll(Unavailable):
    """A registered gateway does not read the entry's format; nothing was appended."""

    default_message = "A gateway of an earlier version cannot leave out rooms: try again after the upgrade."


class RedisUnreached(Unavailable):
    """The primary cannot be reached.

    Args:
        detail: The text of the system's or the server's error.

    """

    def __init__(self, detail: str) -> None:
        super().__init__(f"Redis cannot be reached: {detail}.")
        self.detail = detail
