"""What can go wrong between a gateway and its handlers, beside `roomwire.errors`.

::

    ConfigurationError
    └── TwoHandlers           an event has two handlers
    ClientError
    ├── InvalidBody
    │   ├── MissingArgument   the event has fewer arguments than its handler asks for
    │   ├── NoObject          the first argument is no object, and the handler asks for a field of it
    │   ├── MissingField      the object lacks a field
    │   └── WrongField        an argument or a field has another type
    └── NotFound
        ├── NoSuchNamespace   nothing serves the namespace
        ├── NoSuchEvent       no handler takes the event that a client has sent
        └── UnknownEvent      no handler of this way in takes the event
"""

from typing import Final

from roomwire.errors import ConfigurationError, InvalidBody, NotFound

_MAX_SHOWN_NAME: Final = 64


class TwoHandlers(ConfigurationError):
    """An event has two handlers.

    Args:
        gateway: The class of the gateway.
        event: The event.

    """

    def __init__(self, gateway: type, event: str) -> None:
        super().__init__(gateway, event)
        self.gateway = gateway
        self.event = event

    def __str__(self) -> str:
        return f"{self.gateway.__name__}: the event {self.event!r} has two handlers"


class MissingArgument(InvalidBody):
    """An event has fewer arguments than its handler asks for.

    Args:
        index: Where it is missing, from 0.
        parameter: The handler's name of it.

    """

    def __init__(self, index: int, parameter: str) -> None:
        super().__init__(f"Missing argument {index + 1}: `{parameter}`.")
        self.index = index
        self.parameter = parameter


class NoObject(InvalidBody):
    """The first argument is no object, and the handler asks for a field of it.

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
    """An argument or a field is not what the handler's types say.

    Args:
        field: Its path; empty if the problem names it.
        problem: What is wrong with it, without a full stop.

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
        super().__init__(f"There is no namespace {namespace!r} here.")
        self.namespace = namespace


class NoSuchEvent(NotFound):
    """No handler of the namespace takes the event that a client has sent.

    Args:
        event: The event, which is shown in part if its name is long.

    """

    def __init__(self, event: str) -> None:
        super().__init__(f"No event `{event[:_MAX_SHOWN_NAME]}` here.")
        self.event = event


class UnknownEvent(NotFound):
    """No handler takes the event on this way in.

    Args:
        event: The event.

    """

    def __init__(self, event: str) -> None:
        super().__init__(f"The event {event!r} does not come this way.")
        self.event = event
