"""The errors between a gateway and its handlers, in addition to `roomwire.errors`.

::

    TypeError
    ├── NotProvided           a handler or a pipe needs what the application does not provide
    └── WrongCount            a declared event is emitted with fewer or more arguments than it has
    ConfigurationError
    ├── HookWithoutAck        a hook asks for an ack
    ├── HookWithoutReplies    a hook is an async generator
    ├── TwoDeclarations       an event is declared twice
    ├── TwoHandlers           an event has two handlers
    └── WrongPart             what stands among guards, interceptors or filters is none
    ClientError
    ├── InvalidBody
    │   ├── MissingArgument   the event has fewer arguments than its handler needs
    │   ├── NoObject          the first argument is not an object, but the handler needs a field of it
    │   ├── MissingField      the object lacks a field
    │   └── WrongField        an argument or a field has another type
    └── NotFound
        ├── NoSuchNamespace   nothing serves the namespace
        ├── NoSuchEvent       no handler is subscribed to the event that a client has sent
        └── UnknownEvent      no handler accepts the event on this path
"""

from typing import Final

from roomwire.errors import ConfigurationError, InvalidBody, NotFound

_MAX_SHOWN_NAME: Final = 64


class _OneTooMany(ConfigurationError):
    """A gateway has two of what an event has once.

    Args:
        gateway: The class of the gateway.
        event: The event.

    """

    problem: str

    def __init__(self, gateway: type, event: str) -> None:
        super().__init__(gateway, event)
        self.gateway = gateway
        self.event = event

    def __str__(self) -> str:
        return f"{self.gateway.__name__}: the event {self.event!r} {self.problem}"


class TwoHandlers(_OneTooMany):
    """An event has two handlers."""

    problem = "has two handlers"


class TwoDeclarations(_OneTooMany):
    """A gateway declares an event that it emits twice."""

    problem = "is declared twice"


class _WrongHook(ConfigurationError):
    """A hook is written as only a handler may be.

    Args:
        hook: The name of the method.

    """

    problem: str

    def __init__(self, hook: str) -> None:
        super().__init__(hook)
        self.hook = hook

    def __str__(self) -> str:
        return f"{self.hook}: a hook {self.problem}"


class HookWithoutAck(_WrongHook):
    """A hook has a parameter for an ack, but its caller does not wait for an ack."""

    problem = "has no ack to send"


class HookWithoutReplies(_WrongHook):
    """A hook is an async generator, but it has no caller that takes replies."""

    problem = "has no caller to yield replies to"


class WrongPart(ConfigurationError):
    """What stands among the guards, interceptors or filters around a call cannot be called, or is no filter.

    Args:
        where: The class of the gateway, or the handler.
        kind: `guards`, `interceptors` or `filters`.
        part: What stands there.

    """

    def __init__(self, where: str, kind: str, part: object) -> None:
        super().__init__(where, kind, part)
        self.where = where
        self.kind = kind
        self.part = part

    def __str__(self) -> str:
        wanted = (
            "`Filter(class, function)`"
            if self.kind == "filters"
            else "functions, or instances that can be called"
        )
        return f"{self.where}: {self.kind} must be a list of {wanted}, not {type_name(self.part)}"


class NotProvided(TypeError):
    """A handler or a pipe needs a value that the application does not provide.

    Args:
        need: The beginning of the sentence, such as "the pipe load needs".
        kind: The type of the value.

    """

    def __init__(self, need: str, kind: object) -> None:
        super().__init__(need, kind)
        self.need = need
        self.kind = kind

    def __str__(self) -> str:
        wanted = type_name(self.kind)
        return (
            f"{self.need} a {wanted}, but none is provided: call app.provide({wanted}, ...) in the lifespan"
        )


class WrongCount(TypeError):
    """A declared event is emitted with fewer or more arguments than it has.

    Args:
        event: The event.
        given: The number of arguments that were given.
        least: The fewest that it has.
        most: The most that it has.

    """

    def __init__(self, event: str, given: int, least: int, most: int) -> None:
        super().__init__(event, given, least, most)
        self.event = event
        self.given = given
        self.least = least
        self.most = most

    def __str__(self) -> str:
        expected = f"{self.most}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"the event {self.event!r} is declared with {expected} arguments, and was given {self.given}"


def type_name(kind: object) -> str:
    """Return the name of a type for messages."""
    return str(getattr(kind, "__name__", kind))


class MissingArgument(InvalidBody):
    """An event has fewer arguments than its handler needs.

    Args:
        index: The index of the missing argument, from 0.
        parameter: The name of the handler's parameter.

    """

    def __init__(self, index: int, parameter: str) -> None:
        super().__init__(f"Missing argument {index + 1}: `{parameter}`.")
        self.index = index
        self.parameter = parameter


class NoObject(InvalidBody):
    """The first argument is not an object, but the handler needs a field of it.

    Args:
        field: The field.

    """

    def __init__(self, field: str) -> None:
        super().__init__(f"Expected an object with the field `{field}`.")
        self.field = field


class MissingField(InvalidBody):
    """The object lacks a field.

    Args:
        field: The field.

    """

    def __init__(self, field: str) -> None:
        super().__init__(f"Object missing required field `{field}`.")
        self.field = field


class WrongField(InvalidBody):
    """An argument or a field does not match the handler's types.

    Args:
        field: The path of the field. Empty if the problem names it.
        problem: The problem, without a full stop.

    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}." if field else f"{problem}.")
        self.field = field
        self.problem = problem


class NoSuchNamespace(NotFound):
    """No gateway and no function serves the namespace: no client could receive an event there.

    Args:
        namespace: The namespace.

    """

    def __init__(self, namespace: str) -> None:
        super().__init__(f"This application does not serve the namespace {namespace!r}.")
        self.namespace = namespace


class NoSuchEvent(NotFound):
    """No handler of the namespace is subscribed to the event that a client has sent.

    Args:
        event: The event. A long name is truncated in the message.

    """

    def __init__(self, event: str) -> None:
        super().__init__(f"The event `{event[:_MAX_SHOWN_NAME]}` does not exist.")
        self.event = event


class UnknownEvent(NotFound):
    """No handler accepts the event on this path.

    Args:
        event: The event.

    """

    def __init__(self, event: str) -> None:
        super().__init__(f"The event {event!r} has no handler here.")
        self.event = event
