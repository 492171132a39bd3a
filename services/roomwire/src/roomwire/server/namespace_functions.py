"""The functions that serve the namespaces of a pattern: what `Server.of` returns."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, Unpack

from roomwire.errors import ConfigurationError
from roomwire.rooms.emit import EmitOptions
from roomwire.server.patterns import NamespacePattern, converted

_NAMESPACE = "namespace"
"""The parameter of a function that gets the name of the namespace."""

_F = TypeVar("_F", bound=Callable[..., object])


class NamespaceFunctions:
    """Functions for the events of all namespaces of a pattern, registered as `socketio.AsyncServer` registers them.

    ::

        tenants = server.of("/tenant-{tenant}")

        @tenants.event
        async def message(sid, text, tenant: int, namespace):
            await tenants.emit("message", text, namespace=namespace)

    A function gets the arguments that python-socketio passes, in their order. Besides, a parameter that is called like one of the
    pattern's gets its value, converted into the parameter's type, and `namespace` gets the name of the namespace, wherever they
    stand. Functions are registered before clients connect: a namespace has those that there were when its first client came.

    Args:
        pattern: The pattern.
        emit: The server's `emit`.
        requires_connect: Whether a user's capabilities must allow `connect` for the name of the namespace.

    Attributes:
        pattern: The pattern.
        requires_connect: See above.
        handlers: The functions by event.
        offers_recovery: Whether clients are offered recovery if the server leaves it to the namespace. No: see `Server`.

    """

    offers_recovery = False

    def __init__(
        self,
        pattern: NamespacePattern,
        *,
        emit: Callable[..., Awaitable[None]],
        requires_connect: bool,
    ) -> None:
        self.pattern = pattern
        self.requires_connect = requires_connect
        self.handlers: dict[str, Callable[..., object]] = {}
        self._emit = emit
        self._slots: dict[str, _Slots] = {}

    def on(self, event: str, handler: _F | None = None) -> Any:
        """Register the function of an event, as a decorator if none is given. See `socketio.AsyncServer.on`.

        Args:
            event: The event's name, `connect`, `disconnect`, or `*` for all events without a function.
            handler: The function.

        """

        def put(handler: _F) -> _F:
            self.handlers[event] = handler
            self._slots[event] = _Slots(handler, {_NAMESPACE, *self.pattern.parameters})
            return handler

        return put if handler is None else put(handler)

    def event(self, handler: _F) -> _F:
        """Register a function for the event that has its name: a decorator."""
        put: Callable[[_F], _F] = self.on(handler.__name__)
        return put(handler)

    async def emit(self, event: str, data: object = None, **options: Unpack[EmitOptions]) -> None:
        """Emit an event in one of the namespaces, whether or not it has clients on this node.

        Args:
            event: The event's name.
            data: The event's argument; a tuple for several.
            options: As for `Server.emit`, by name; `namespace` is required.

        Raises:
            ConfigurationError: No namespace of the pattern is named.
            InvalidNamespace: The pattern matches the name, but no pattern serves it.
            Unavailable, OutcomeUnknown, TooLarge, InvalidBody: As for `Server.emit`.

        """
        namespace = options.get("namespace") or ""
        if self.pattern.parameters_in(namespace) is None:
            raise ConfigurationError(f"{namespace!r} is no namespace of the pattern {self.pattern.text!r}")
        await self._emit(event, data, **options)

    def made_for(self, name: str, parameters: Mapping[str, str]) -> Mapping[str, Callable[..., object]]:
        """Return the functions of one namespace by event.

        Raises:
            InvalidNamespace: A parameter does not have the type that a function names.

        """
        texts = {**parameters, _NAMESPACE: name}
        return {event: self._slots[event].filled(texts) for event in self.handlers}


class _Slots:
    """The parameters of a function that get values by their names, and the places of those among the others."""

    def __init__(self, handler: Callable[..., object], names: set[str]) -> None:
        self._handler = handler
        parameters = inspect.signature(handler).parameters.values()
        self._named = [each.name for each in parameters if each.name in names]
        positional = [
            each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        ]
        # Each is the name of a parameter, or empty for the next argument.
        self._places = [each.name if each.name in names else "" for each in positional]
        self._keywords = [each.name for each in parameters if each.name in names and each not in positional]
        hints = typing.get_type_hints(handler, include_extras=True) if self._named else {}
        self._types = {name: hints.get(name, str) for name in self._named}

    def filled(self, texts: Mapping[str, str]) -> Callable[..., object]:
        """Return the function for one namespace, which is called without the named parameters."""
        if not self._named:
            return self._handler
        values = {name: converted(texts[name], self._types[name], name) for name in self._named}
        keywords = {name: values[name] for name in self._keywords}
        places = [(name, values.get(name)) for name in self._places]
        call: Callable[..., object] = _call_later if inspect.iscoroutinefunction(self._handler) else _call
        return partial(call, self._handler, places, keywords)


def _filled(
    places: Sequence[tuple[str, object]], keywords: Mapping[str, object], arguments: Sequence[object]
) -> tuple[Sequence[object], Mapping[str, object]]:
    """Return the arguments of a function with the values that it gets by name, each in its place, and those without one."""
    rest = list(arguments)
    placed: list[object] = []
    for number, (name, value) in enumerate(places):
        if not name and not rest:
            # What follows has defaults.
            return placed, {**keywords, **{name: value for name, value in places[number:] if name}}
        placed.append(value if name else rest.pop(0))
    return [*placed, *rest], keywords


def _call(
    handler: Callable[..., object],
    places: Sequence[tuple[str, object]],
    keywords: Mapping[str, object],
    *arguments: object,
) -> object:
    args, kwargs = _filled(places, keywords, arguments)
    return handler(*args, **kwargs)


async def _call_later(
    handler: Callable[..., Awaitable[object]],
    places: Sequence[tuple[str, object]],
    keywords: Mapping[str, object],
    *arguments: object,
) -> object:
    args, kwargs = _filled(places, keywords, arguments)
    return await handler(*args, **kwargs)
