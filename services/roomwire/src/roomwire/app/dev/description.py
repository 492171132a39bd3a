"""What an application subscribes to, with the types of its events, as the console lists it. Pure."""

import json
from collections.abc import Iterator, Sequence

import msgspec

from roomwire.app.app import App
from roomwire.app.dev.schemas import Components, Schema, example, shown
from roomwire.gateways import Gateway
from roomwire.gateways.binding import Binding
from roomwire.server import Server


class Argument(msgspec.Struct, frozen=True):
    """One argument of an event.

    Attributes:
        name: What the handler calls it.
        type: Its type in TypeScript's words.
        is_required: Whether the event needs it.

    """

    name: str
    type: str
    is_required: bool


class Event(msgspec.Struct, frozen=True):
    """An event that the application subscribes to.

    Attributes:
        name: Its name.
        arguments: What it takes; None where a function handles it, whose types nothing says.
        answer: The type of its ack, in TypeScript's words.
        example: Arguments to begin with, as a JSON list.

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
        server: Its server, with which its gateways are registered: they know what the application has provided, and take
            the rest of the events.

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
    for namespace, gateway in server.namespace_handlers.items():
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
    """Yield each argument of an event that a parameter takes as it is, with an example."""
    for taken in binding.takes:
        if not taken.key:
            known = _typed(taken.type)
            yield Argument(taken.parameter, shown(*known), taken.is_required), example(*known)


def _keyed(binding: Binding) -> Iterator[tuple[Argument, object]]:
    """Yield the first argument of an event whose keys parameters take, with an example."""
    keyed = [(taken, _typed(taken.type)) for taken in binding.takes if taken.key]
    if keyed:
        fields = [f"{taken.key}{'' if taken.is_required else '?'}: {shown(*known)}" for taken, known in keyed]
        required = {taken.key: example(*known) for taken, known in keyed if taken.is_required}
        yield Argument("body", f"{{ {'; '.join(fields)} }}", bool(required)), required


def _typed(type_: object) -> tuple[Schema, Components]:
    """Return the schema of a type; that of anything where msgspec knows none."""
    try:
        (schema,), components = msgspec.json.schema_components([type_], ref_template="{name}")
    except (TypeError, ValueError):
        return {}, {}
    return schema, components
