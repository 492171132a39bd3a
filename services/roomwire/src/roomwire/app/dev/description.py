"""The events that an application subscribes to, with their types, as the console lists them. Pure."""

import json
from collections.abc import Iterator, Sequence

import msgspec

from roomwire.app.app import App
from roomwire.app.contract.schemas import Components, Schema, Schemas
from roomwire.app.contract.words import example, shown
from roomwire.gateways import Gateway
from roomwire.gateways.binding import Binding
from roomwire.server import Server


class Argument(msgspec.Struct, frozen=True):
    """One argument of an event.

    Attributes:
        name: The name of the handler's parameter.
        type: Its type, in TypeScript.
        is_required: Whether the event needs it.

    """

    name: str
    type: str
    is_required: bool


class Event(msgspec.Struct, frozen=True):
    """An event that the application subscribes to.

    Attributes:
        name: Its name.
        arguments: Its arguments. None if a function handles it, because functions declare no types.
        answer: The type of its ack, in TypeScript.
        example: Example arguments, as a JSON list.

    """

    name: str
    arguments: Sequence[Argument] | None
    answer: str
    example: str


class Namespace(msgspec.Struct, frozen=True):
    """A namespace and its events."""

    name: str
    events: Sequence[Event]


class Description(msgspec.Struct, frozen=True):
    """An application: its name and its namespaces."""

    name: str
    namespaces: Sequence[Namespace]


def describe(app: App, server: Server) -> Description:
    """Return the description of an application.

    Args:
        app: The application.
        server: Its server, with which its gateways are registered. They know what the application has provided, so that all
            other parameters get arguments of the event.

    """
    bindings = dict(_bindings(server))
    return Description(
        app.name,
        [
            Namespace(name, [_event(event, bindings.get((name, event))) for event in events])
            for name, events in app.bind().items()
        ],
    )


def _bindings(server: Server) -> Iterator[tuple[tuple[str, str], Binding]]:
    for namespace, gateway in server.registered_handlers().items():
        if isinstance(gateway, Gateway):
            for event, binding in gateway.bindings.items():
                yield (namespace, event), binding


def _event(name: str, binding: Binding | None) -> Event:
    if binding is None:
        return Event(name, None, "unknown", "[]")
    arguments = [*_keyed(binding), *_plain(binding)]
    return Event(
        name,
        [argument for argument, _ in arguments],
        shown(*_typed(binding.answer)),
        json.dumps([value for argument, value in arguments if argument.is_required]),
    )


def _plain(binding: Binding) -> Iterator[tuple[Argument, object]]:
    """Yield each argument that a parameter takes as a whole, with an example."""
    for taken in binding.takes:
        if not taken.key:
            known = _typed(taken.type)
            yield Argument(taken.parameter, shown(*known), taken.is_required), example(*known)


def _keyed(binding: Binding) -> Iterator[tuple[Argument, object]]:
    """Yield the first argument of an event, if parameters take keys of it, with an example."""
    keyed = [(taken, _typed(taken.type)) for taken in binding.takes if taken.key]
    if keyed:
        fields = [f"{taken.key}{'' if taken.is_required else '?'}: {shown(*known)}" for taken, known in keyed]
        required = {taken.key: example(*known) for taken, known in keyed if taken.is_required}
        yield Argument("body", f"{{ {'; '.join(fields)} }}", bool(required)), required


def _typed(type_: object) -> tuple[Schema, Components]:
    """Return the schema of a type, or the schema of any value if msgspec has none for it."""
    schemas = Schemas([type_])
    return schemas.of(type_) or {}, schemas.components
