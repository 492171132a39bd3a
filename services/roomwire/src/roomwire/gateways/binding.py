"""Binds a handler's parameters to values by their types. The types are analysed once.

Pure: it knows no network. A parameter annotated with

- `Socket` gets the connected socket, `User` the authenticated user;
- `Annotated[T, Key("name")]` gets one key of the body;
- `Annotated[T, Pipe(function)]` gets the result of the function, whose first argument is such a value, decoded into the type of
  the function's first parameter;
- `Ack` gets the acknowledgement, so that the handler sends it itself;
- a type that the application has provided gets the value that was provided;
- a parameter that is called like one of the namespace's pattern gets its value there, converted into the type;
- anything else gets the next argument of the event, decoded strictly into that type (msgspec): a struct
  is the whole body. With a default it may be missing.

An event that arrives as text is decoded directly into these types, by one decoder per handler. If that fails or is impossible,
its values are converted one by one. A body that does not fit is refused before the handler runs, with a sentence that names the
field.
"""

import copy
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Protocol, TypeVar, Union, get_args, get_origin

import msgspec
import msgspec.inspect

from roomwire.gateways.chain import (
    Ack,
    AnyFilter,
    Around,
    Call,
    Guard,
    Interceptor,
    Kind,
    PerCall,
    Provided,
    Reply,
)
from roomwire.gateways.errors import MissingArgument, MissingField, NoObject, NotProvided, WrongField
from roomwire.gateways.pipes import Pipe, Piped
from roomwire.identity.tokens import User
from roomwire.limits.costs import check_cost
from roomwire.server.patterns import converted

_EVENT = "__roomwire_event__"
_AROUND = "__roomwire_around__"
_REQUIRES_VOICE = "__roomwire_requires_voice__"
_COST = "__roomwire_cost__"
_EVENT_NAME = "roomwire_event_name_"
RESERVED_EVENTS = frozenset({"connect", "disconnect", "connect_error"})

Handler = Callable[..., object]
_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True)
class Key:
    """Marks a parameter that gets one key of the body: `room_id: Annotated[str, Key("roomId")]`."""

    name: str


def subscribe(
    event: str,
    *,
    guards: Sequence[Guard] = (),
    interceptors: Sequence[Interceptor] = (),
    filters: Sequence[AnyFilter] = (),
    requires_voice: bool = True,
    cost: int = 1,
) -> Callable[[_H], _H]:
    """Make a gateway's method the handler of an event. Its return value is the ack.

    Args:
        event: The event's name.
        guards: They allow or refuse a call, after the gateway's guards. Default: none.
        interceptors: They run around the handler, inside those of the gateway. Default: none.
        filters: They answer the handler's exceptions, before those of the gateway. Default: none.
        requires_voice: Whether a gateway that is `moderated` refuses the event of a muted user (`forbidden`). Default: yes.
        cost: How many ordinary events the event counts as in the rates of its connection, user and address: about one for each
            millisecond of CPU of the gateway and Redis, from 1 to 10,000. Bytes of the answer are charged besides, see
            `roomwire.limits.costs`. Default: 1.

    Raises:
        ValueError: The name is one of Socket.IO's own (use the lifecycle hooks), or the cost is no such number.

    """
    if event in RESERVED_EVENTS:
        raise ValueError(
            f"{event!r} is not an event to subscribe to: use the hooks on_connection and on_disconnection"
        )

    check_cost(cost)

    def put(handler: _H) -> _H:
        setattr(handler, _EVENT, event)
        setattr(handler, _COST, cost)
        setattr(handler, _AROUND, Around(guards, interceptors, filters))
        setattr(handler, _REQUIRES_VOICE, requires_voice)
        return handler

    return put


def subscribed_event(handler: object) -> str | None:
    """Return the event to which a method is subscribed, or None."""
    event: str | None = getattr(handler, _EVENT, None)
    return event


def around_of(handler: object) -> Around:
    """Return the guards, interceptors and filters that `subscribe` has put around a method; any other method has none."""
    around: Around = getattr(handler, _AROUND, Around())
    return around


def is_for_the_muted(handler: object) -> bool:
    """Return whether `subscribe` lets muted users send the event of a method."""
    return not getattr(handler, _REQUIRES_VOICE, True)


def cost_of(handler: object) -> int:
    """Return the cost that `subscribe` has given to the event of a method; any other method has the cost 1."""
    cost: int = getattr(handler, _COST, 1)
    return cost


class ConnectedSocket(Protocol):
    """The attributes of a socket that binding needs."""

    @property
    def user(self) -> User:
        """The client's user."""


@dataclass(frozen=True)
class _Body:
    """A parameter that gets an argument of the event."""

    parameter: str
    index: int
    type: object
    default: object

    def value(self, body: Sequence[object]) -> object:
        if self.index < len(body):
            return _convert(body[self.index], self.type, self.parameter)
        if self.default is inspect.Parameter.empty:
            raise MissingArgument(self.index, self.parameter)
        return self.default


@dataclass(frozen=True)
class _BodyKey:
    """A parameter that gets one key of the event's first argument."""

    parameter: str
    key: str
    type: object
    default: object

    def value(self, body: Sequence[object]) -> object:
        first = body[0] if body else {}
        if not isinstance(first, Mapping):
            raise NoObject(self.key)
        if self.key in first:
            return _convert(first[self.key], self.type, self.key)
        if self.default is inspect.Parameter.empty:
            raise MissingField(self.key)
        return self.default


class Taken(NamedTuple):
    """A handler's parameter that gets a part of the event, for messages and other tools.

    Attributes:
        parameter: The name of the handler's parameter.
        key: The key of the event's first argument. Empty if the parameter gets a whole argument.
        type: Its type.
        is_required: Whether it has no default.

    """

    parameter: str
    key: str
    type: object
    is_required: bool


class Binding:
    """A handler's parameters, analysed once.

    Args:
        handler: A bound method.
        socket_type: The class whose annotation asks for the connected socket.
        provided: The values that the application has provided, by type. Default: they are not known yet.
        parameters: The names of the parameters of the namespace's pattern. Default: none.

    Attributes:
        per_call: The providers, by type, of the values that the handler and its pipes need for each call.
        acks: The parameters that get the ack.
        is_direct: Whether a call consists of the arguments and the handler only: it has no pipes and no values per call, and the
            handler's result is the ack.
        is_stream: Whether the handler is an async generator, whose values go to the caller one by one.
        takes: The parameters that get a part of the event, in their order.
        of_namespace: The types of the parameters that get a value in the name of the namespace, by name.
        answer: The type of the ack; `object` if the handler does not return it or does not declare its type.

    Raises:
        TypeError: A parameter has no annotation, or cannot be bound.

    """

    # Each namespace of a pattern has a copy.
    __slots__ = (
        "_bodies",
        "_decode",
        "_given",
        "_given_per_call",
        "_has_context",
        "_may_miss",
        "_names",
        "_pipes",
        "_sockets",
        "_users",
        "acks",
        "answer",
        "is_direct",
        "is_stream",
        "of_namespace",
        "per_call",
        "takes",
    )

    def __init__(
        self,
        handler: Handler,
        *,
        socket_type: type,
        provided: Provided | None = None,
        parameters: Collection[str] = (),
    ) -> None:
        self.of_namespace: dict[str, object] = {}
        self._sockets: list[str] = []
        self._users: list[str] = []
        self._given: dict[str, object] = {}
        self._given_per_call: dict[str, Kind] = {}
        self._pipes: list[Piped] = []
        self.per_call: dict[Kind, PerCall[object]] = {}
        self.acks: list[str] = []
        self._bodies: list[_Body | _BodyKey] = []
        hints = typing.get_type_hints(handler, include_extras=True)
        index = 0
        for name, parameter in inspect.signature(handler).parameters.items():
            where = f"{getattr(handler, '__qualname__', handler)}: parameter {name!r}"
            if name not in hints:
                raise TypeError(f"{where} has no annotation, so nothing can be bound to it")
            if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                raise TypeError(f"{where} must not be positional-only or variadic")
            hint = hints[name]
            if any(isinstance(extra, Pipe) for extra in _extras(hint)):
                piped = Piped(name, hint, parameter.default, provided=provided, where=where)
                keys = [extra for extra in _extras(hint) if isinstance(extra, Key)]
                hint = Annotated[piped.takes, *keys] if keys else piped.takes
                self._pipes.append(piped)
                self.per_call.update(piped.per_call)
            if name in parameters and not any(hint is one for one in (socket_type, User, Ack)):
                self.of_namespace[name] = hint
            elif self._is_of_client(name, hint, socket_type):
                continue
            elif provided is not None and _is_provided(hint, provided, where):
                self._give(name, hint, provided[hint])
            elif key := _key_of(hint):
                self._bodies.append(_BodyKey(name, key.name, _without_key(hint), parameter.default))
            else:
                self._bodies.append(_Body(name, index, hint, parameter.default))
                index += 1

        self.takes: Sequence[Taken] = [
            Taken(
                body.parameter,
                body.key if isinstance(body, _BodyKey) else "",
                body.type,
                body.default is inspect.Parameter.empty,
            )
            for body in self._bodies
        ]
        self._names, self._decode = _compiled(self._bodies)
        self._may_miss = any(body.default is not inspect.Parameter.empty for body in self._bodies)
        self._has_context = bool(self._sockets or self._users or self._given)
        self.is_stream = inspect.isasyncgenfunction(handler)
        is_answer = not self.acks and not self.is_stream and Reply not in members_of(hints.get("return"))
        self.answer: object = hints.get("return", object) if is_answer else object
        self.is_direct = is_answer and not self._pipes and not self.per_call and not self.is_stream

    def _is_of_client(self, name: str, hint: object, socket_type: type) -> bool:
        """Note a parameter that gets the socket, the user or the ack; return whether it does."""
        for type_, names in ((socket_type, self._sockets), (User, self._users), (Ack, self.acks)):
            if hint is type_:
                names.append(name)
                return True
        return False

    def _give(self, name: str, kind: Kind, value: object) -> None:
        if isinstance(value, PerCall):
            self._given_per_call[name] = kind
            self.per_call[kind] = value
        else:
            self._given[name] = value

    def within(self, parameters: Mapping[str, str]) -> "Binding":
        """Return the binding for one namespace, with the values of the parameters in its name.

        Args:
            parameters: The parameters in the name.

        Raises:
            InvalidNamespace: A parameter does not have the type that the handler names.

        """
        if not self.of_namespace:
            return self
        bound = copy.copy(self)
        values = {name: converted(parameters[name], type_, name) for name, type_ in self.of_namespace.items()}
        bound._given = {**self._given, **values}  # noqa: SLF001 - it is one of ours
        bound._has_context = True  # noqa: SLF001 - the same
        return bound

    def decoded(self, text: str, socket: ConnectedSocket) -> dict[str, object] | None:
        """Return the handler's keyword arguments for one raw event: hot.

        The result is None if only `arguments` can build them, as for bodies that are not plain arguments.

        Args:
            text: A JSON array: the event's name and its arguments.
            socket: The socket that sent the event.

        Raises:
            msgspec.MsgspecError: The text is not JSON or does not fit; `arguments` raises an error that explains why.
            RecursionError: The JSON is nested too deeply.

        """
        if self._decode is None:
            return None
        event = self._decode(text)
        arguments = {}
        for name in self._names:
            arguments[name] = getattr(event, name)
        if self._may_miss:
            arguments = {name: value for name, value in arguments.items() if value is not msgspec.UNSET}
        return self._with_context(arguments, socket) if self._has_context else arguments

    def arguments(self, socket: ConnectedSocket, body: Sequence[object]) -> dict[str, object]:
        """Return the handler's keyword arguments for one event.

        Args:
            socket: The socket that sent the event.
            body: The event's arguments, as decoded from the wire.

        Raises:
            InvalidBody: The body does not fit; the message names the field.

        """
        return self._with_context({wanted.parameter: wanted.value(body) for wanted in self._bodies}, socket)

    def _with_context(self, arguments: dict[str, object], socket: ConnectedSocket) -> dict[str, object]:
        for name in self._sockets:
            arguments[name] = socket
        for name in self._users:
            arguments[name] = socket.user
        if self._given:
            arguments.update(self._given)
        return arguments

    async def complete(self, arguments: dict[str, object], call: Call, values: Provided) -> None:
        """Pass the arguments through their pipes, and add the values that live as long as the call.

        Args:
            arguments: The result of `arguments`.
            call: The call.
            values: The values of `per_call`, by type.

        """
        for name, kind in self._given_per_call.items():
            arguments[name] = values[kind]
        for piped in self._pipes:
            arguments[piped.parameter] = await piped.value(arguments[piped.parameter], call, values)


def _compiled(
    bodies: "Sequence[_Body | _BodyKey]",
) -> tuple[Sequence[str], Callable[[str], object] | None]:
    """Return a decoder of whole events whose attributes are the parameters' values, or None if that is impossible."""
    plain = [body for body in bodies if isinstance(body, _Body)]
    if len(plain) < len(bodies):
        return (), None
    fields = [
        (body.parameter, body.type)
        if body.default is inspect.Parameter.empty
        else (body.parameter, Union[body.type, msgspec.UnsetType], msgspec.UNSET)  # noqa: UP007 - a value, not an annotation
        for body in plain
    ]
    try:
        event = msgspec.defstruct("Event", [(_EVENT_NAME, str), *fields], array_like=True)
        return [body.parameter for body in plain], msgspec.json.Decoder(event).decode
    except (TypeError, ValueError):
        # msgspec does not know the type; the conversion reports that when the handler is called.
        return (), None


def members_of(hint: object) -> Sequence[object]:
    """Return the members of a union, or the type alone."""
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def _extras(hint: object) -> Sequence[object]:
    """Return the annotations of a type."""
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _key_of(hint: object) -> Key | None:
    return next((extra for extra in _extras(hint) if isinstance(extra, Key)), None)


def _is_provided(hint: object, provided: Provided, where: str) -> bool:
    """Return whether a parameter gets the value that was provided for its type.

    Raises:
        TypeError: No value was provided, and a body cannot be decoded into the type either.

    """
    try:
        if hint in provided:
            return True
        is_decoded = not isinstance(msgspec.inspect.type_info(hint), msgspec.inspect.CustomType)
    except TypeError:
        # The type cannot be hashed, or msgspec refuses it; the conversion reports that when the handler is called.
        return False
    if not is_decoded:
        # No body can be decoded into this type.
        raise NotProvided(f"{where} needs", hint)
    return False


def _without_key(hint: object) -> object:
    """Return the annotated type, including other annotations such as constraints."""
    type_, *extras = get_args(hint)
    extras = [extra for extra in extras if not isinstance(extra, Key)]
    return Annotated[type_, *extras] if extras else type_


def _convert(value: object, type_: object, name: str) -> object:
    try:
        msgspec.json.encode(value)  # JSON can spell lone surrogates, which no store and no log can write
        return msgspec.convert(value, type_)
    except UnicodeEncodeError:
        raise WrongField(name, "A text is not valid Unicode") from None
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.roomId`": say the same in terms of what the client sent.
        problem, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or ("" if "field `" in problem else name)
        raise WrongField(field, problem) from None
