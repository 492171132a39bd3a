"""What can go wrong, in one tree.

::

    RoomwireError
    ├── ConfigurationError    a setting or the machine around us is wrong; one sentence for the operator
    ├── NodeNameTaken         another process that lives has this one's name
    └── ClientError           a client is told: code, sentence, whether trying again makes sense
        ├── InvalidBody       the event's or request's body does not have the promised shape
        ├── Unauthenticated   no token where one is required, or one that does not hold
        ├── Forbidden         known, but not allowed
        ├── RateLimited       too much, too fast
        ├── TooLarge          over a size limit
        ├── Unavailable       something we depend on does not answer; nothing was lost, try again
        │   ├── OutcomeUnknown    it may have been done all the same: try again with the same message id
        │   └── NotYetValid       a token is dated later than now: the clocks of two machines differ
        ├── NotFound          no such thing
        └── Internal          a defect of ours; the log has the details, the client has not

Foreign exceptions are translated into these once, where they enter. The code of a `ClientError` is the
error's name everywhere: in acks, HTTP answers, log fields and metric labels.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class RoomwireError(Exception):
    """The root of all errors that Roomwire raises."""


class ConfigurationError(RoomwireError):
    """A setting, or the machine around the process, does not allow it to run.

    The text is for the operator: one sentence that says what is wrong and what to do.
    """


class NodeNameTaken(RoomwireError):
    """Another process that lives has this one's name: calls to all nodes would leave one of the two out.

    Args:
        name: The name.
        holder: The other process's incarnation.

    """

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(name, holder)
        self.name = name
        self.holder = holder

    def __str__(self) -> str:
        return (
            f"another gateway runs under the node name {self.name!r} (as {self.holder}):"
            " set ROOMWIRE_NODE_NAME to a name of this one's own"
        )


class ClientError(RoomwireError):
    """An error that the client is told.

    Args:
        message: The sentence the client sees. Default: the class's own.

    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    default_message: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default_message)

    @property
    def message(self) -> str:
        """The sentence for the client."""
        return str(self.args[0])

    def details(self) -> Mapping[str, str | bool]:
        """Return what a client gets: `code`, `message` and `retryable`."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable}

    def body(self) -> Mapping[str, Mapping[str, str | bool]]:
        """Return the error as an ack or an HTTP answer carries it: `{"error": details}`."""
        return {"error": self.details()}


class InvalidBody(ClientError):
    """The body of an event or request does not have the promised shape; the message names the field."""

    code = "invalid_body"
    http_status = HTTPStatus.UNPROCESSABLE_ENTITY
    default_message = "The body does not have the expected shape."


class Unauthenticated(ClientError):
    """No token where one is required, or one that does not hold. The reason stays general on purpose."""

    code = "unauthenticated"
    http_status = HTTPStatus.UNAUTHORIZED
    default_message = "A valid token is required."


class Forbidden(ClientError):
    """The client is known, but not allowed to do this."""

    code = "forbidden"
    http_status = HTTPStatus.FORBIDDEN
    default_message = "This is not allowed."


class RateLimited(ClientError):
    """Too many requests in too short a time.

    Attributes:
        retry_after_s: How long to wait, as far as that is known; 0: it is not.

    """

    retry_after_s: int = 0

    code = "rate_limited"
    retryable = True
    http_status = HTTPStatus.TOO_MANY_REQUESTS
    default_message = "Too many requests: slow down and try again."


class TooLarge(ClientError):
    """Something is over its size limit."""

    code = "too_large"
    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_message = "This is too large."


class Unavailable(ClientError):
    """Something we depend on did not answer in time."""

    code = "unavailable"
    retryable = True
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    default_message = "The service is not available for the moment: try again."


class OutcomeUnknown(Unavailable):
    """Something we depend on was asked, and did not answer in time: it may or may not have been done."""

    default_message = "It may or may not have been done: try again with the same message id."


class NotYetValid(Unavailable):
    """A signed token whose time has not come: a clock is wrong, and the client did nothing wrong.

    It is an `Unavailable`, so a connecting client loses its transport and comes again; an official client that is refused
    stays away for good.
    """

    code = "not_yet_valid"
    default_message = "The token is not valid yet: try again."


class NotFound(ClientError):
    """There is no such thing."""

    code = "not_found"
    http_status = HTTPStatus.NOT_FOUND
    default_message = "There is no such thing."


class Internal(ClientError):
    """A defect of ours. Raised in place of an unexpected exception, which goes to the log."""
