"""Runs exception filters, guards and interceptors around a call, in an order that is determined once.

A call is an event for a handler, or a client that connects. Around it run, from the outside to the inside:

1. exception filters, the handler's before its gateway's before the application's;
2. guards, the application's before the gateway's before the handler's;
3. the decoding of the body into the handler's types, and its pipes (`roomwire.gateways.binding`);
4. interceptors, in the order of the guards;
5. the handler.

A call that a guard refuses is therefore not decoded and reaches no pipe, interceptor or handler. Rate limits come before
all of this. A handler with nothing around it skips these steps.
"""

import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, Protocol, Self, TypeAlias, TypeVar

from roomwire.errors import ClientError, Forbidden
from roomwire.gateways.errors import type_name
from roomwire.gateways.socket import Socket, to_wire
from roomwire.identity.tokens import User
from roomwire.protocol.payloads import arguments_of, event_payload

CONNECT: Final = "connect"
"""The event of a call that is a connection; clients cannot send an event of this name."""
_MARKS: Final = "__roomwire_marks__"

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Exception)
_Marked = TypeVar("_Marked", bound=Callable[..., object])
_Consume = Callable[..., Awaitable[object]]

Kind: TypeAlias = Callable[..., object]
"""A type by which something is provided: a class, a protocol or a `NewType`."""
Provided: TypeAlias = Mapping[Kind, object]
"""What an application has provided, by type; a `PerCall` is opened for each call."""


class Ack:
    """The acknowledgement of an event, for a handler that has a parameter of this type: `ack("saved")`.

    A handler calls it once, before it has ended, with the arguments that the client's callback gets. What the handler returns is
    then ignored, and an error that it raises afterwards reaches the client as the event `exception`. A handler that does not
    call it is acknowledged as usual.

    Args:
        send: Sends the acknowledgement. None if the client does not wait for one.

    Attributes:
        is_sent: Whether the acknowledgement has been sent.

    """

    __slots__ = ("_send", "is_sent")

    def __init__(self, send: Callable[[object], None] | None) -> None:
        self._send = send
        self.is_sent = False

    @property
    def is_wanted(self) -> bool:
        """Whether the client waits for the acknowledgement."""
        return self._send is not None

    def __call__(self, *args: object) -> None:
        """Send the acknowledgement, or nothing if the client does not wait for one.

        Raises:
            RuntimeError: The acknowledgement was sent before.

        """
        if self.is_sent:
            raise RuntimeError("an event can be acknowledged only once")
        self.is_sent = True
        if self._send is not None:
            self._send(args)


@dataclass(frozen=True)
class Reply:
    """A handler returns it to answer by an event. The caller receives the event, and then an ack without a value if it waits for one.

    The return annotation of the handler must contain `Reply`, alone or in a union, because it is read when the class is bound.

    Attributes:
        event: The event's name.
        args: Its arguments.

    """

    event: str
    args: Sequence[object]

    def __init__(self, event: str, *args: object) -> None:
        object.__setattr__(self, "event", event)
        object.__setattr__(self, "args", args)


class Acknowledged:
    """The result of a call whose handler has sent the ack itself."""


ACKNOWLEDGED: Final = Acknowledged()


class AcknowledgedFailed(Exception):
    """A handler failed after it had sent the ack.

    Args:
        error: The handler's error.

    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True)
class Call:
    """An event on its way to its handler, or a connection on its way to `on_connection`.

    Attributes:
        socket: The client. While it connects, `socket.recovered` says whether it continues a session.
        event: The event's name; `connect` for a connection.
        body: The event's arguments as they were sent; for a connection, its `auth` payload alone.
        marks: The marks of the handler, then those of the gateway's class; see `mark`.
        provided: The values that the application has provided, by type.
        arguments: The handler's arguments by the names of its parameters. They are empty for guards, which run before the body
            is decoded.

    """

    socket: Socket
    event: str
    body: Sequence[object]
    marks: Sequence[object] = ()
    provided: Provided = field(default_factory=dict)
    arguments: Mapping[str, object] = field(default_factory=dict)

    @property
    def user(self) -> User:
        """The client's user."""
        return self.socket.user

    @property
    def is_connection(self) -> bool:
        """Whether the call is a connection, new or recovered."""
        return self.event == CONNECT

    def mark(self, kind: type[_T]) -> _T | None:
        """Return the nearest mark of a type: the handler's, else the class's, else None."""
        return next((each for each in self.marks if isinstance(each, kind)), None)

    def get(self, kind: Callable[..., _T]) -> _T:
        """Return the value that the application has provided for a type, as `App.get` does.

        Raises:
            LookupError: The application has provided no value for it that outlives a call.

        """
        return value_of(self.provided, kind)


Guard = Callable[[Call], bool | Awaitable[bool]]
"""Returns True to allow a call. Any other result refuses it as `forbidden`; to refuse it with another code, raise a `ClientError`."""
Proceed = Callable[[], Awaitable[object]]
"""Runs the inner interceptors and the handler, and returns their result."""
Interceptor = Callable[[Call, Proceed], Awaitable[object]]
"""Runs around a handler. It decides whether to proceed, and its result is the ack."""


class AnyFilter:
    """A `Filter` of any class of exceptions, because a list of filters contains several classes."""

    kind: type[Exception]
    answer: Callable[..., ClientError | None]


@dataclass(frozen=True)
class Filter(AnyFilter, Generic[_E]):
    """Answers an exception that leaves a call.

    The nearest filter of a matching class answers, and no other is asked. It also sees what guards and the decoding raise. An
    exception without a filter is `internal` for the client, unless it is a `ClientError`.

    Attributes:
        kind: The class of exceptions that it answers, including subclasses.
        answer: Returns, given the exception and the call, the error that the client receives. If it returns None, the call is
            acknowledged as if its handler had returned None, and a connection is accepted, except one that a guard has refused.

    """

    kind: type[_E]
    answer: Callable[[_E, Call], ClientError | None]


@dataclass(frozen=True)
class PerCall(Generic[_T]):
    """A provider whose value lives as long as one call.

    Attributes:
        open: Returns, given the call, an async context manager of the value. The context is left when the handler has ended,
            with the exception that the handler raised.

    """

    open: Callable[[Call], AbstractAsyncContextManager[_T]]


def has_value(provided: Provided, kind: Kind) -> bool:
    """Return whether a value that outlives a call is provided for a type."""
    return kind in provided and not isinstance(provided[kind], PerCall)


def value_of(provided: Provided, kind: Callable[..., _T]) -> _T:
    """Return the value that is provided for a type.

    Raises:
        LookupError: No value that outlives a call is provided for it.

    """
    if not has_value(provided, kind):
        raise LookupError(f"no {type_name(kind)} is provided")
    found: _T = provided[kind]  # type: ignore[assignment] # `App.provide` ensures the type
    return found


def mark(*marks: object) -> Callable[[_Marked], _Marked]:
    """Put values on a handler, or on the class of a gateway, for guards and interceptors to read by `Call.mark`.

    Subclasses inherit the marks of a class. Nearer marks come first.
    """

    def put(marked: _Marked) -> _Marked:
        setattr(marked, _MARKS, (*marks, *marks_of(marked)))
        return marked

    return put


def marks_of(marked: object) -> Sequence[object]:
    """Return the marks of a handler or a class; see `mark`."""
    marks: Sequence[object] = getattr(marked, _MARKS, ())
    return marks


@dataclass(frozen=True)
class Around:
    """The guards, interceptors and filters around calls, in the order in which they are called.

    Attributes:
        guards: They allow or refuse a call.
        interceptors: They run around the handler.
        filters: They answer exceptions.

    """

    guards: Sequence[Guard] = ()
    interceptors: Sequence[Interceptor] = ()
    filters: Sequence[AnyFilter] = ()

    def __bool__(self) -> bool:
        return bool(self.guards or self.interceptors or self.filters)

    def within(self, outer: "Around") -> "Around":
        """Return the combination of this one with another around it."""
        return Around(
            (*outer.guards, *self.guards),
            (*outer.interceptors, *self.interceptors),
            (*self.filters, *outer.filters),
        )


class Arguments(Protocol):
    """The part of a handler's binding that a chain uses."""

    @property
    def per_call(self) -> Mapping[Kind, PerCall[object]]:
        """The providers, by type, whose values live as long as a call that asks for them."""

    @property
    def acks(self) -> Sequence[str]:
        """The parameters that get the ack."""

    def arguments(self, socket: Socket, body: Sequence[object]) -> dict[str, object]:
        """Return the arguments that come from the body and the connection."""

    async def complete(self, arguments: dict[str, object], call: Call, values: Provided) -> None:
        """Pass the arguments through their pipes, and add the values (by type) that live as long as the call."""

    def within(self, parameters: Mapping[str, str]) -> Self:
        """Return the binding for a namespace with these parameters in its name."""


class Chain:
    """A handler with its filters, guards and interceptors.

    Args:
        event: The event's name, or `CONNECT`.
        method: The handler.
        binding: The handler's parameters.
        around: The filters, guards and interceptors.
        marks: The marks that guards and interceptors may read.
        provided: The values that the application has provided, by type.

    """

    # Each namespace of a pattern has a copy.
    __slots__ = ("_around", "_binding", "_event", "_marks", "_method", "_provided")

    def __init__(
        self,
        event: str,
        method: Callable[..., object],
        *,
        binding: Arguments,
        around: Around,
        marks: Sequence[object],
        provided: Provided,
    ) -> None:
        self._event = event
        self._method = method
        self._binding = binding
        self._around = around
        self._marks = marks
        self._provided = provided

    def within(
        self,
        method_of: Callable[[Callable[..., object]], Callable[..., object]],
        parameters: Mapping[str, str],
    ) -> "Chain":
        """Return the chain for one namespace of the gateway's pattern.

        Args:
            method_of: Returns the handler there.
            parameters: The parameters in the name of the namespace.

        Raises:
            InvalidNamespace: A parameter does not have the type that the handler names.

        """
        chain = copy.copy(self)
        chain._method = method_of(self._method)  # noqa: SLF001 - it is one of ours
        chain._binding = self._binding.within(parameters)  # noqa: SLF001 - the same
        return chain

    async def __call__(
        self,
        socket: Socket,
        body: Sequence[object],
        ack: Ack | None = None,
        consume: _Consume | None = None,
    ) -> object:
        """Return the answer for the client: the result of the handler, or of an interceptor around it.

        Args:
            socket: The client.
            body: The event's arguments.
            ack: The ack, for a handler that sends it itself. Default: the caller sends it.
            consume: Takes what the handler returns, within the interceptors, and returns the handler's result; for a handler that
                is an async generator. Default: the handler returns its result.

        Raises:
            Exception: A `ClientError` is for the client; any other exception has no matching filter.
            AcknowledgedFailed: Such an exception after the handler has sent the ack.

        """
        try:
            call = Call(socket, self._event, body, self._marks, self._provided)
            result = await self._filtered(call, ack, consume)
        except Exception as error:
            if ack is not None and ack.is_sent:
                raise AcknowledgedFailed(error) from error
            raise
        if isinstance(result, Reply):
            sent = event_payload([result.event, *arguments_of(to_wire(result.args))])
            socket.server.charges.answered(socket.member.connection, [sent])
            await socket.emit(result.event, *result.args)
            result = None
        return ACKNOWLEDGED if ack is not None and ack.is_sent else result

    async def _filtered(self, call: Call, ack: Ack | None, consume: _Consume | None) -> object:
        is_allowed = False
        try:
            await self._ask_guards(call)
            is_allowed = True
            return await self._handled(call, ack, consume)
        except Exception as error:
            answer = self._answer(error, call)
            # A filter that is silent must not let in a client that a guard has refused.
            if answer is error or (answer is None and call.is_connection and not is_allowed):
                raise
            if answer is not None:
                raise answer from error
            return None

    def _answer(self, error: Exception, call: Call) -> Exception | None:
        """Return the answer of the nearest filter, or the error itself if none matches."""
        for each in self._around.filters:
            if isinstance(error, each.kind):
                return each.answer(error, call)
        return error

    async def _ask_guards(self, call: Call) -> None:
        for guard in self._around.guards:
            allowed = guard(call)
            if inspect.isawaitable(allowed):
                allowed = await allowed
            # Only True allows the call, so that a guard without a return statement allows nothing by mistake.
            if allowed is not True:
                raise Forbidden

    async def _handled(self, call: Call, ack: Ack | None, consume: _Consume | None) -> object:
        arguments = {
            **self._binding.arguments(call.socket, call.body),
            **dict.fromkeys(self._binding.acks, ack),
        }
        async with AsyncExitStack() as stack:
            values = {
                kind: await stack.enter_async_context(provider.open(call))
                for kind, provider in self._binding.per_call.items()
            }
            await self._binding.complete(arguments, call, values)
            call.arguments = arguments
            return await self._proceed(call, 0, consume)

    async def _proceed(self, call: Call, index: int, consume: _Consume | None) -> object:
        """Run the interceptors from an index on, then the handler."""
        if index < len(self._around.interceptors):
            proceed = partial(self._proceed, call, index + 1, consume)
            return await self._around.interceptors[index](call, proceed)
        result = self._method(**call.arguments)
        if consume is not None:
            return await consume(result)
        return await result if inspect.isawaitable(result) else result
