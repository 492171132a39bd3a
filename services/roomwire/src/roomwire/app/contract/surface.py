"""What an application has for clients, read of its gateways, and what cannot be known of it. The lifespan does not run."""

import enum
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Union

import msgspec.inspect

from roomwire.app.app import App
from roomwire.app.contract.schemas import has_schema
from roomwire.app.contract.undeclared import Found, emitted_by, provided_by
from roomwire.errors import ClientError, ConfigurationError
from roomwire.gateways import Gateway
from roomwire.gateways.binder import Handled
from roomwire.gateways.binding import members_of
from roomwire.gateways.chain import Guard, Reply
from roomwire.gateways.declared import AnyDeclared
from roomwire.gateways.errors import type_name
from roomwire.gateways.memberships import PresenceChange
from roomwire.gateways.typists import Typing
from roomwire.server.patterns import NamespacePattern

_TYPING: Final = "Tell the other members of a room that the user writes in it."

UNKNOWN: object = object
"""The type of what nothing is known of."""


class Argument(NamedTuple):
    """An argument of an event.

    Attributes:
        name: Its name.
        type: Its type.
        is_required: Whether the event needs it.

    """

    name: str
    type: object
    is_required: bool


class Answer(NamedTuple):
    """The arguments of an ack.

    Attributes:
        types: Their types.
        is_repeated: Whether there may be any number of the one type.

    """

    types: Sequence[object]
    is_repeated: bool = False


NOTHING = Answer(())
"""An ack without arguments."""
_DONE: Final = Answer((Literal["done"],))
"""The ack of a handler that has yielded everything: `roomwire.gateways.reply_streams.DONE`."""


@dataclass(frozen=True)
class Incoming:
    """What a client sends: an event, or the `auth` payload of a connection.

    Attributes:
        event: The event's name.
        summary: What the handler says of it.
        arguments: The arguments that parameters take as they are; None: nothing is known of them.
        keys: The keys of the first argument that parameters take.
        answers: The acks that tell of success; None: nothing is known of them.
        guards: The names of what may refuse it.

    """

    event: str
    summary: str = ""
    arguments: Sequence[Argument] | None = None
    keys: Sequence[Argument] = ()
    answers: Sequence[Answer] | None = None
    guards: Sequence[str] = ()


@dataclass(frozen=True)
class Outgoing:
    """An event that clients receive.

    Attributes:
        event: Its name.
        arguments: Its arguments; None: nothing is known of them.

    """

    event: str
    arguments: Sequence[Argument] | None


@dataclass(frozen=True)
class Namespace:
    """A namespace.

    Attributes:
        name: Its name.
        summary: What its gateway says of itself.
        connection: What a client sends when it connects.
        incoming: The events that it may send, in order of their names.
        outgoing: The events that it may receive, in order of their names.
        parameters: The parameters in its name if it is a pattern, each with the values that it may have; empty: any.

    """

    name: str
    summary: str
    connection: Incoming
    incoming: Sequence[Incoming]
    outgoing: Sequence[Outgoing]
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def types(self) -> Iterator[object]:
        """Yield the type of each argument and each ack."""
        for each in (self.connection, *self.incoming):
            yield from (argument.type for argument in (*(each.arguments or ()), *each.keys))
            yield from (type_ for answer in each.answers or () for type_ in answer.types)
        for emitted in self.outgoing:
            yield from (argument.type for argument in emitted.arguments or ())


@dataclass
class Surface:
    """What an application has for clients.

    Attributes:
        name: The application's name.
        codes: The codes of the errors that its program has.
        authenticate: The name of what decides about handshakes beside tokens; empty: nothing does.
        namespaces: Its namespaces, in order of their names.
        not_known: What could not be read, each a sentence.

    """

    name: str
    codes: Sequence[str]
    authenticate: str
    namespaces: Sequence[Namespace]
    not_known: list[str] = field(default_factory=list)


def surface_of(app: App) -> Surface:
    """Return what an application has for clients.

    Raises:
        ApplicationError: It cannot be bound.

    """
    surface = Surface(app.name, sorted(_codes(ClientError)), _called(app.authenticate), [])
    if app.lifespan is not None:
        surface.not_known.append(
            "The lifespan was not run: a parameter whose type it provides, but not as `app.provide(Type, ...)` in its own source, "
            "is taken for an argument."
        )
    provided = {*app.provided, *(provided_by(app.lifespan) if app.lifespan else ())}
    kinds = dict(_gateways(app))
    surface.namespaces = [
        _Reader(app, name, kinds[name], provided, surface.not_known).namespace()
        if name in kinds
        else _of_functions(name, events, surface.not_known)
        for name, events in sorted(app.bind().items())
    ]
    return surface


def _gateways(app: App) -> Iterator[tuple[str, type[Gateway]]]:
    for gateway in app.gateways:
        kind: type = gateway if isinstance(gateway, type) else type(gateway)
        yield gateway.class_namespace if gateway is kind else gateway.namespace, kind
    if app.server is not None:
        for namespace, handler in app.server.registered_handlers().items():
            if isinstance(handler, Gateway):
                yield namespace, type(handler)


def _of_functions(name: str, events: Sequence[str], not_known: list[str]) -> Namespace:
    """Return a namespace without a gateway: its events are known by name, if that."""
    not_known.append(
        f"{name}: its events are handled by functions of the server, or by a class that is no Gateway: the types of those that "
        "are listed, and whichever others it has, are not known."
    )
    events_of_it = [Incoming(event) for event in events]
    return Namespace(name, "", Incoming("connect"), events_of_it, [], dict.fromkeys(_parameters_in(name), ()))


class _Reader:
    """Reads the class of a gateway."""

    def __init__(
        self, app: App, name: str, kind: type[Gateway], provided: set[Any], not_known: list[str]
    ) -> None:
        self._name = name
        self._kind = kind
        self._provided = provided
        self._not_known = not_known
        self._interface = kind.interface(app.around, name)

    def namespace(self) -> Namespace:
        """Return the namespace of the gateway."""
        events = self._interface.events
        for event in sorted(events):
            self._tell_around(event, events[event])
        return Namespace(
            self._name,
            _summary(self._kind.__doc__),
            self._connection(self._interface.connections),
            [self._incoming(event, events[event]) for event in sorted(events)],
            sorted(self._outgoing(), key=lambda each: each.event),
            {parameter: self._values_of(parameter) for parameter in _parameters_in(self._name)},
        )

    def _values_of(self, parameter: str) -> Sequence[str]:
        """Return the values that a parameter of the name may have in every handler that names it; empty: any."""
        handled = [*self._interface.events.values(), self._interface.connections]
        types = [each.binding.of_namespace.get(parameter, str) for each in handled if each is not None]
        closed = [texts for texts in map(_texts_of, types) if texts]
        return [text for text in closed[0] if all(text in others for others in closed)] if closed else ()

    def _connection(self, handled: Handled | None) -> Incoming:
        if handled is None:
            return Incoming("connect", arguments=[], answers=[NOTHING])
        arguments, keys = self._taken(handled)
        return Incoming("connect", "", arguments, keys, [NOTHING], _names(handled.around.guards))

    def _incoming(self, event: str, handled: Handled) -> Incoming:
        where = f"{self._name} {event}"
        arguments, keys = self._taken(handled)
        answers = self._answers(where, handled)
        for argument in (*arguments, *keys):
            if argument.type is not UNKNOWN and not has_schema(argument.type):
                self._not_known.append(f"{where}: the values of {argument.name!r} are not known.")
        return Incoming(
            event,
            _TYPING if _is_ours(handled.method) else _summary(handled.method.__doc__),
            arguments,
            keys,
            answers,
            _names(handled.around.guards),
        )

    def _tell_around(self, event: str, handled: Handled) -> None:
        around = [
            *(f"the interceptor {_called(each)}" for each in handled.around.interceptors),
            *(f"the filter {_called(each.answer)}" for each in handled.around.filters),
        ]
        if around:
            self._not_known.append(
                f"{self._name} {event}: what {', '.join(around)} may answer in place of the handler is not known."
            )

    def _answers(self, where: str, handled: Handled) -> Sequence[Answer] | None:
        if handled.binding.is_stream:
            return [_DONE]
        if handled.binding.acks:
            self._not_known.append(f"{where}: the handler sends its ack itself: what is in it is not known.")
            return None
        answers = answers_of(
            typing.get_type_hints(handled.method, include_extras=True).get("return", UNKNOWN)
        )
        if any(type_ is UNKNOWN or not has_schema(type_) for answer in answers for type_ in answer.types):
            self._not_known.append(f"{where}: the type of its ack is not known.")
            return None
        return answers

    def _taken(self, handled: Handled) -> tuple[Sequence[Argument], Sequence[Argument]]:
        """Return the arguments that a handler takes as they are, and the keys that it takes of the first one."""
        taken = [each for each in handled.binding.takes if not self._is_provided(each.type)]
        return (
            [Argument(each.parameter, each.type, each.is_required) for each in taken if not each.key],
            [Argument(each.key, each.type, each.is_required) for each in taken if each.key],
        )

    def _is_provided(self, type_: Any) -> bool:
        """Return whether a parameter gets what the application provides, as no client can send it or the type is known to be."""
        try:
            if type_ in self._provided:
                return True
            return isinstance(msgspec.inspect.type_info(type_), msgspec.inspect.CustomType)
        except TypeError:
            return False

    def _outgoing(self) -> Iterator[Outgoing]:
        declared = {name: _declared(each) for name, each in self._interface.declared.items()}
        parts = {**self._of_parts(declared), **self._of_streams(declared), **declared}
        for event, arguments in parts.items():
            yield Outgoing(event, arguments)
            for argument in arguments or ():
                if argument.type is not UNKNOWN and not has_schema(argument.type):
                    self._not_known.append(
                        f"{self._name} {event}: the values of {argument.name!r}, which is emitted, are not known."
                    )
        found = emitted_by(self._kind)
        yield from (Outgoing(event, None) for event in found.events - {*parts})
        self._tell(found, {*parts})

    def _of_streams(self, declared: Mapping[str, object]) -> Mapping[str, Sequence[Argument] | None]:
        """Return the replies of handlers that are async generators, as far as they are no `Reply`."""
        events: dict[str, Sequence[Argument] | None] = {}
        for event, handled in self._interface.events.items():
            if not handled.binding.is_stream:
                continue
            hint = typing.get_type_hints(handled.method, include_extras=True).get("return")
            yielded = [each for each in members_of((*typing.get_args(hint), UNKNOWN)[0]) if each is not Reply]
            is_one = (
                len(yielded) == 1 and len(answers_of(yielded[0])[0].types) == 1 and has_schema(yielded[0])
            )
            if yielded:
                events[event] = [Argument("reply", yielded[0], is_required=True)] if is_one else None
            if yielded and not is_one and event not in declared:
                self._not_known.append(f"{self._name} {event}: the types of its replies are not known.")
        return events

    def _of_parts(self, declared: Mapping[str, object]) -> Mapping[str, Sequence[Argument] | None]:
        """Return the events of the parts that the class has switched on."""
        events: dict[str, Sequence[Argument] | None] = {}
        if self._kind.presence_event:
            events[self._kind.presence_event] = [Argument("change", PresenceChange, is_required=True)]
        if event := self._kind.typing_event:
            # A handler of the gateway's own may tell something else.
            is_own = not _is_ours(self._interface.events[event].method)
            events[event] = None if is_own else [Argument("typing", Typing, is_required=True)]
            if is_own and event not in declared:
                self._not_known.append(f"{self._name} {event}: what it tells of typing is not declared.")
        return events

    def _tell(self, found: Found, known: set[str]) -> None:
        for event in sorted(found.events - known):
            self._not_known.append(f"{self._name} {event}: it is emitted, and not declared by `emits`.")
        for method in sorted(found.unnamed):
            self._not_known.append(
                f"{self._name}: {method} emits an event whose name is worked out as it runs."
            )
        for kind in sorted(found.unread):
            self._not_known.append(
                f"{self._name}: the source of {kind} cannot be read: what it emits is not known."
            )


def answers_of(hint: Any) -> Sequence[Answer]:
    """Return the acks of a handler with a return type: None is no argument, a tuple is several, everything else is one."""
    several: list[Answer] = []
    nothing: Sequence[Answer] = []
    values = []
    for member in members_of(hint):
        bare = typing.get_args(member)[0] if typing.get_origin(member) is typing.Annotated else member
        parts = typing.get_args(bare)
        if bare in {type(None), Reply}:
            nothing = [NOTHING]
        elif bare is tuple:
            several.append(Answer((Any,), is_repeated=True))
        elif typing.get_origin(bare) is not tuple:
            values.append(member)
        elif parts[-1:] == (...,):
            several.append(Answer(parts[:1], is_repeated=True))
        else:
            several.append(Answer(parts))
    single = [Answer((Union[tuple(values)],))] if values else []  # noqa: UP007 - a value, not an annotation
    return [*single, *several, *nothing]


def _declared(declared: AnyDeclared) -> Sequence[Argument]:
    return [
        Argument(_named(type_, number), type_, number <= declared.required)
        for number, type_ in enumerate(declared.types, start=1)
    ]


def _named(type_: Any, number: int) -> str:
    """Return a name for an emitted argument: that of its class, or its number."""
    name = getattr(type_, "__name__", "")
    is_named = isinstance(type_, type) and type_.__module__ != "builtins" and name.isidentifier()
    return f"{name[0].lower()}{name[1:]}" if is_named else f"argument{number}"


def _parameters_in(namespace: str) -> Sequence[str]:
    """Return the parameters of a template; the text of a regular expression has none that a name could be made of."""
    try:
        pattern = NamespacePattern.in_name(namespace)
    except ConfigurationError:
        return ()
    return () if pattern is None else pattern.parameters


def _texts_of(type_: Any) -> Sequence[str]:
    """Return the texts of all values of a type; empty if it has too many."""
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return [str(each.value) for each in type_]
    return [str(each) for each in typing.get_args(type_)] if typing.get_origin(type_) is Literal else ()


def _codes(kind: type[ClientError]) -> set[str]:
    return {kind.code}.union(*(_codes(each) for each in kind.__subclasses__()))


def _names(guards: Sequence[Guard]) -> Sequence[str]:
    return [_called(guard) for guard in guards]


def _called(function: object) -> str:
    """Return what people call a function, or an object that is called."""
    return "" if function is None else str(getattr(function, "__qualname__", type_name(type(function))))


def _is_ours(method: object) -> bool:
    """Return whether a method is that of `typing_event`, which a gateway has without a handler of its own."""
    return getattr(method, "__module__", "") == Gateway.__module__


def _summary(doc: str | None) -> str:
    """Return the first line of a docstring."""
    return next(iter((doc or "").strip().splitlines()), "")
