"""The errors of the library, in one tree.

::

    RoomwireError
    ├── ConfigurationError    a setting or the machine around us is wrong; one sentence for the operator
    │   ├── UnusableFile      a file that a setting names cannot be read, or holds something else
    │   ├── UnusablePort      the port that a setting names cannot be listened on
    │   ├── PackageMissing    a package that Roomwire needs is not installed
    │   ├── ApplicationError  the application that is to be served cannot be loaded, bound or started
    │   ├── RedisTooOld       the server lacks what Roomwire's scripts and channels need
    │   └── PackageUnfit      an installed package lacks a name that Roomwire relies on
    ├── NodeNameTaken         another live process has this one's name
    └── ClientError           the client receives it: code, sentence, whether to try again
        ├── InvalidBody       the event's or request's body does not have the documented form
        │   └── NestedTooDeeply   a value has more lists and objects within each other than may be sent
        ├── Unauthenticated   a required token is missing or invalid
        ├── Forbidden         the client is known, but not allowed to do this
        ├── RateLimited       too many requests in too short a time
        ├── InvalidNamespace  the pattern of a namespace does not allow its name
        │   ├── InvalidNamespaceName       the name is too long, or has other characters
        │   └── InvalidNamespaceParameter  a parameter in it does not have the type that a handler names
        ├── TooLarge          a size limit is exceeded
        │   ├── AuthTooLarge      the payload of a CONNECT is too large
        │   └── BodyTooLarge      the body of a request is too large
        ├── Unavailable       a dependency does not answer; nothing was done, try again
        │   ├── OutcomeUnknown    it may have been done: try again with the same message id
        │   ├── NotYetValid       a token is dated in the future, because clocks differ
        │   └── RedisRefused      Redis answers, but refuses our connection
        ├── NotFound          the requested resource does not exist
        └── Internal          a defect of ours, whose details only the log has

Foreign exceptions are translated into these once, where they enter. The code of a `ClientError` is the
error's name everywhere: in acks, HTTP answers, log fields and metric labels. A class without a code of its own has that of
its base.

Each sentence is written once. If it contains facts, or is raised in several places, a class takes the facts and builds the
sentence. The classes of one package are in its `errors` (`roomwire.log.errors`, `roomwire.identity.errors`,
`roomwire.gateways.errors`, `roomwire.redis.errors`, `roomwire.relay.errors`, `roomwire.cluster.errors`), those of several are here.
A sentence without facts that is raised in one place is written there. So are the reasons of `BadPacket`, `BadEnginePacket` and
`Interrupted`: they describe faulty bytes where these are read, and go into a log line, not to a client.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar, Literal


class RoomwireError(Exception):
    """The root of all errors that Roomwire raises."""


class ConfigurationError(RoomwireError):
    """A setting, or the machine around the process, does not allow it to run.

    The text is for the operator: one sentence that states what is wrong and what to do.
    """


class UnusableFile(ConfigurationError):
    """A file cannot be read, or has the wrong content.

    Args:
        file: The file, or several files in the order of the settings.
        problem: The problem.
        setting: The setting that names the file. Default: the caller's sentence names it.

    """

    def __init__(self, *file: Path, problem: str | None, setting: str = "") -> None:
        super().__init__(*file, problem, setting)
        self.file = file
        self.problem = problem
        self.setting = setting

    def __str__(self) -> str:
        files = ", ".join(str(file) for file in self.file)
        return f"{f'{self.setting}: ' if self.setting else ''}{files}: {self.problem}"


class UnusablePort(ConfigurationError):
    """A port cannot be listened on.

    Args:
        host: The address to listen on.
        port: The port.
        problem: The system's message.
        setting: The setting that chooses another port.

    """

    def __init__(self, host: str, port: int, *, problem: str | None, setting: str) -> None:
        super().__init__(host, port, problem, setting)
        self.host = host
        self.port = port
        self.problem = problem
        self.setting = setting

    def __str__(self) -> str:
        return f"cannot listen on {self.host}:{self.port}: {self.problem}; choose another port with {self.setting}"


class PackageMissing(ConfigurationError):
    """A package that Roomwire needs is not installed.

    Args:
        package: Its name in the package index.
        extra: The extra of Roomwire that brings it. By default, Roomwire always brings it.

    """

    def __init__(self, package: str, *, extra: str = "") -> None:
        super().__init__(package)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        how = f"pip install 'roomwire[{self.extra}]'" if self.extra else "install it with Roomwire"
        return f"{self.package} is not installed: {how}."


class PackageUnfit(ConfigurationError):
    """An installed package lacks a name that Roomwire relies on.

    Args:
        package: Its name in the package index.
        version: The installed release.
        lacking: The missing name, with its owner's name.
        oldest: The oldest supported release.
        newest: The newest tested release.

    """

    def __init__(self, package: str, version: str, *, lacking: str, oldest: str, newest: str) -> None:
        super().__init__(package, version, lacking, oldest, newest)
        self.package = package
        self.version = version
        self.lacking = lacking
        self.oldest = oldest
        self.newest = newest

    def __str__(self) -> str:
        return (
            f"{self.package} {self.version} has no {self.lacking}, which Roomwire relies on: "
            f"install a release from {self.oldest} to {self.newest}."
        )


class ApplicationError(ConfigurationError):
    """The application that is to be served cannot be loaded, bound or started.

    Args:
        step: What failed: its import, the binding of its gateways, or its lifespan, in which gateways are made as well.
        problem: The problem, without a full stop.
        traceback: The traceback from the first line of the application's own code. Default: its code did not raise.

    """

    def __init__(
        self, step: Literal["import", "bind", "lifespan"], problem: str, *, traceback: str = ""
    ) -> None:
        super().__init__(step, problem)
        self.step = step
        self.problem = problem
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.step}: {self.problem}"


class RedisTooOld(ConfigurationError):
    """The server lacks what Roomwire's scripts and channels need.

    Args:
        version: The server's version.
        least: The first sufficient major version.

    """

    def __init__(self, version: str, least: int) -> None:
        super().__init__(version, least)
        self.version = version
        self.least = least

    def __str__(self) -> str:
        return f"Redis {self.version} is too old: version {self.least} or Valkey is needed"


class NodeNameTaken(RoomwireError):
    """Another live process has this one's name, so that calls to all nodes would miss one of the two.

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
            f"another gateway has the node name {self.name!r} (as {self.holder}):"
            " set ROOMWIRE_NODE_NAME to a unique name"
        )


class ClientError(RoomwireError):
    """An error that the client receives.

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
        """Return the client's view: `code`, `message` and `retryable`."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable}

    def body(self) -> Mapping[str, Mapping[str, str | bool]]:
        """Return the error in the form of an ack or an HTTP answer: `{"error": details}`."""
        return {"error": self.details()}


class InvalidBody(ClientError):
    """The body of an event or request does not have the documented form; the message names the field."""

    code = "invalid_body"
    http_status = HTTPStatus.UNPROCESSABLE_ENTITY
    default_message = "The body does not have the expected shape."


class NestedTooDeeply(InvalidBody):
    """A value has more lists and objects within each other than an event, an ack or a history may have.

    Args:
        most: The maximum number of them within each other.

    """

    def __init__(self, most: int) -> None:
        super().__init__(f"A value is nested too deeply: at most {most} lists and objects within each other.")
        self.most = most


class InvalidNamespace(ClientError):
    """A client connects to a namespace whose name the pattern that serves it does not allow."""

    code = "invalid_namespace"
    http_status = HTTPStatus.NOT_FOUND
    default_message = "There is no namespace of this name."


class InvalidNamespaceName(InvalidNamespace):
    """A name is longer, or has other characters, than a pattern serves.

    Args:
        rule: What the name may contain.

    """

    def __init__(self, rule: str) -> None:
        super().__init__(f"There is no namespace of this name: it may have {rule}.")
        self.rule = rule


class InvalidNamespaceParameter(InvalidNamespace):
    """A parameter in a name is no value of the type that a handler names.

    Args:
        parameter: The parameter.
        problem: The problem, without a full stop.

    """

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"There is no namespace of this name: {parameter}: {problem}.")
        self.parameter = parameter
        self.problem = problem


class Unauthenticated(ClientError):
    """A required token is missing or invalid. The reason is general on purpose."""

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
        retry_after_s: The time to wait in seconds. `0` means that it is unknown.

    """

    retry_after_s: int = 0

    code = "rate_limited"
    retryable = True
    http_status = HTTPStatus.TOO_MANY_REQUESTS
    default_message = "Too many requests: slow down and try again."


class TooLarge(ClientError):
    """A size limit is exceeded."""

    code = "too_large"
    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_message = "This is too large."


class AuthTooLarge(TooLarge):
    """The payload with which a client connects is larger than the server accepts.

    Args:
        max_auth_bytes: The maximum size as JSON, without the token.

    """

    def __init__(self, max_auth_bytes: int) -> None:
        super().__init__(f"`auth` is too large: at most {max_auth_bytes} bytes beside the token.")
        self.max_auth_bytes = max_auth_bytes


class BodyTooLarge(TooLarge):
    """The body of a request is larger than the service accepts.

    Args:
        max_body_bytes: The maximum size.

    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(f"The body is too large: at most {max_body_bytes} bytes.")
        self.max_body_bytes = max_body_bytes


class Unavailable(ClientError):
    """A dependency did not answer in time.

    Attributes:
        retry_after_s: The time to wait in seconds. `0` means that it is unknown.

    """

    retry_after_s: int = 0

    code = "unavailable"
    retryable = True
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    default_message = "The service is temporarily unavailable: try again."


class OutcomeUnknown(Unavailable):
    """A dependency was asked and did not answer in time, so the operation may or may not have been done."""

    default_message = "The outcome is unknown: try again with the same message id."


class NotYetValid(Unavailable):
    """A signed token is dated in the future: a clock is wrong, and the client is not at fault.

    The error is an `Unavailable`, so a connecting client loses its transport and reconnects. An official client that is refused
    stays away for good.
    """

    code = "not_yet_valid"
    default_message = "The token is not valid yet: try again."


class RedisRefused(Unavailable):
    """Redis answers, but refuses our connection.

    Args:
        answer: The refusal.

    """

    def __init__(self, answer: Exception) -> None:
        super().__init__(f"Redis refuses the connection: {answer}")
        self.answer = answer


class NotFound(ClientError):
    """The requested resource does not exist."""

    code = "not_found"
    http_status = HTTPStatus.NOT_FOUND
    default_message = "The requested resource does not exist."


class Internal(ClientError):
    """A defect of ours. It replaces an unexpected exception, which goes to the log."""
