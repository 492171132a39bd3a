"""Turns a gateway's methods into handlers and hooks, each with its guards, interceptors and filters. This is done once."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MethodType
from typing import TypeAlias

import msgspec

from roomwire.errors import ConfigurationError
from roomwire.gateways.binding import Binding, around_of, cost_of, is_for_the_muted
from roomwire.gateways.chain import CONNECT, AnyFilter, Around, Chain, Provided, marks_of
from roomwire.gateways.declared import AnyDeclared, Declared
from roomwire.gateways.errors import HookWithoutAck, HookWithoutReplies, TwoDeclarations, WrongPart
from roomwire.gateways.lane import Handler
from roomwire.gateways.moderation import has_voice
from roomwire.gateways.reply_streams import ReplyStreams
from roomwire.gateways.socket import Socket

_Method: TypeAlias = Callable[..., object]


class _Whole:
    """The arguments of a `Chain`: the connection and the whole body, which it binds after its guards have allowed the call."""

    is_direct = True

    def decoded(self, text: str, socket: Socket) -> dict[str, object]:
        return {"socket": socket, "body": msgspec.json.decode(text, type=list)[1:]}

    def arguments(self, socket: Socket, body: Sequence[object]) -> dict[str, object]:
        return {"socket": socket, "body": body}


@dataclass(frozen=True)
class Handled:
    """What a gateway handles by a method, and what runs around it, for people and for other tools.

    Attributes:
        method: The method.
        binding: Its parameters and its answer.
        around: What runs around it, from the outside to the inside.
        cost: What its event costs, in ordinary events.

    """

    method: _Method
    binding: Binding
    around: Around
    cost: int = 1


@dataclass(frozen=True)
class Interface:
    """What the class of a gateway has for clients.

    Attributes:
        events: What it handles, by event.
        connections: What runs when a client connects; None: nothing does.
        declared: What it declares by `emits`, by event.

    """

    events: Mapping[str, Handled]
    connections: Handled | None
    declared: Mapping[str, AnyDeclared]


class Binder:
    """Binds the methods of a gateway.

    Args:
        gateway: The gateway's class.
        around: The gateway's guards, interceptors and filters.
        provided: The application's values by type, or None if they are not known yet.
        outer: The application's guards, interceptors and filters.
        is_moderated: Whether the events of muted users are refused, before any other guard runs.
        streams: Runs handlers that are async generators.
        parameters: The names of the parameters of the namespace's pattern. Default: none.

    Attributes:
        events: The events that were bound.
        connections: The hook of connections, if it was bound.

    Raises:
        WrongPart: A guard or an interceptor cannot be called, or a filter is none.

    """

    def __init__(
        self,
        gateway: type,
        around: Around,
        provided: Provided | None,
        *,
        outer: Around,
        is_moderated: bool,
        streams: ReplyStreams,
        parameters: Collection[str] = (),
    ) -> None:
        _require_fit("App", outer)
        _require_fit(gateway.__name__, around)
        self._marks = marks_of(gateway)
        self._around = around.within(outer)
        self._provided = provided
        self._is_moderated = is_moderated
        self._streams = streams
        self._parameters = parameters
        self.events: dict[str, Handled] = {}
        self.connections: Handled | None = None

    def handler(self, event: str, method: _Method) -> Handler:
        """Return the chain around a method, or the method itself if nothing runs around it."""
        own = around_of(method)
        _require_fit(getattr(method, "__qualname__", event), own)
        around = own.within(self._around)
        if self._is_moderated and not is_for_the_muted(method):
            around = around.within(Around([has_voice]))
        handler, self.events[event] = self._made(event, method, around)
        return handler

    def connection(self, method: _Method | None) -> Handler | None:
        """Return the chain around the hook of connections; the chain may exist without the hook."""
        if method is None and not self._around:
            return None
        handler, self.connections = self._of_a_hook(CONNECT, method or _nothing, self._around)
        return handler

    def hook(self, name: str, method: _Method | None) -> Handler | None:
        """Return another hook, around which nothing runs; None if the gateway does not define it."""
        return None if method is None else self._of_a_hook(name, method, Around())[0]

    def _of_a_hook(self, name: str, method: _Method, around: Around) -> tuple[Handler, Handled]:
        handler, handled = self._made(name, method, around)
        if handled.binding.is_stream:
            raise HookWithoutReplies(getattr(method, "__qualname__", repr(method)))
        if handler.takes_ack:
            raise HookWithoutAck(getattr(method, "__qualname__", repr(method)))
        return handler, handled

    def _made(self, event: str, method: _Method, around: Around) -> tuple[Handler, Handled]:
        binding = self._binding(method)
        cost = cost_of(method)
        handled = Handled(method, binding, around, cost)
        made = partial(Handler, event, surcharge=cost - 1)
        if not around and binding.is_direct:
            is_plain = not inspect.iscoroutinefunction(method)
            return made(method, binding, is_plain=is_plain), handled
        marks = (*marks_of(method), *self._marks)
        provided = self._provided or {}
        chain = Chain(event, method, binding=binding, around=around, marks=marks, provided=provided)
        if binding.is_stream:
            begin = partial(self._streams.begin, chain, event)
            return made(begin, _Whole(), is_plain=False, takes_ack=True), handled
        return made(chain, _Whole(), is_plain=False, takes_ack=bool(binding.acks)), handled

    def _binding(self, method: _Method) -> Binding:
        try:
            return Binding(method, socket_type=Socket, provided=self._provided, parameters=self._parameters)
        except (TypeError, NameError) as error:
            raise ConfigurationError(str(error)) from error


class Rebinder:
    """Binds the handlers of a gateway to a copy of it that serves one namespace of its pattern.

    Args:
        template: The gateway.
        gateway: The copy.
        parameters: The parameters in the name of the namespace.

    """

    def __init__(self, template: object, gateway: object, parameters: Mapping[str, str]) -> None:
        self._template = template
        self._gateway = gateway
        self._parameters = parameters

    def rebound(self, handler: Handler) -> Handler:
        """Return a handler for the copy.

        Raises:
            InvalidNamespace: A parameter does not have the type that the handler names.

        """
        binding, method = handler.binding, handler.method
        if isinstance(binding, Binding):
            return replace(handler, binding=binding.within(self._parameters), method=self._method(method))
        if isinstance(method, partial):
            chain, *rest = method.args
            return replace(handler, method=partial(method.func, self._chain(chain), *rest))
        return replace(handler, method=self._chain(method))

    def hook(self, handler: Handler | None) -> Handler | None:
        """Return a hook for the copy; see `rebound`."""
        return None if handler is None else self.rebound(handler)

    def _chain(self, chain: _Method) -> _Method:
        return chain.within(self._method, self._parameters) if isinstance(chain, Chain) else chain

    def _method(self, method: _Method) -> _Method:
        """Return a method of the copy; what is no method of the gateway stays."""
        if inspect.ismethod(method) and method.__self__ is self._template:
            return MethodType(method.__func__, self._gateway)
        return method


def declared_by(gateway: type) -> Mapping[str, AnyDeclared]:
    """Return the events that a class of gateways declares by `emits`.

    Raises:
        TwoDeclarations: It declares one twice.

    """
    declared: dict[str, AnyDeclared] = {}
    for _, member in inspect.getmembers_static(gateway):
        if isinstance(member, Declared):
            if member.event in declared:
                raise TwoDeclarations(gateway, member.event)
            declared[member.event] = member
    return declared


def _require_fit(where: str, around: Around) -> None:
    """Raise `WrongPart` if a guard or an interceptor cannot be called, or a filter is none.

    A class can be called, but it would make an instance of each call, which is no answer.
    """
    for kind in ("guards", "interceptors", "filters"):
        parts = getattr(around, kind)
        if not isinstance(parts, Sequence):
            raise WrongPart(where, kind, parts)
        for part in parts:
            is_function = callable(part) and not isinstance(part, type)
            if not (isinstance(part, AnyFilter) if kind == "filters" else is_function):
                raise WrongPart(where, kind, part)


async def run_hook(hook: Handler, socket: Socket, body: object) -> None:
    """Run a hook with its one argument, such as the reason of a disconnection."""
    result = hook.method(**hook.binding.arguments(socket, [body]))
    if inspect.isawaitable(result):
        await result


def _nothing() -> None:
    """Admit a client: the hook of a gateway that defines none."""
