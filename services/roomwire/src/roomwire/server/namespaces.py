"""The namespaces that a server serves: those of names, and those of patterns (docs/namespaces.md)."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from roomwire.errors import InvalidNamespace
from roomwire.server.dynamic import DynamicNamespaces
from roomwire.server.namespace_functions import NamespaceFunctions
from roomwire.server.patterns import NamespacePattern


class NamespaceCalls:
    """What serves a namespace, as methods of `Server`."""

    handlers: Any
    namespace_handlers: Any
    emit: Callable[..., Awaitable[None]]

    def __init__(self, dynamic: DynamicNamespaces, serves: Callable[[str], bool]) -> None:
        self._dynamic = dynamic
        self._serves = serves

    def of(
        self, pattern: str | re.Pattern[str], *, requires_connect: bool | None = None
    ) -> NamespaceFunctions:
        """Return the functions that serve all namespaces of a pattern: `io.of(/regex/)` of Socket.IO for Node.

        Names that have handlers of their own take precedence over patterns. Of several patterns, the first that was registered
        and matches serves a name. See docs/namespaces.md.

        Args:
            pattern: A template with parameters, `/tenant-{tenant}`, or a regular expression, whose named groups are the
                parameters. It may match anywhere in a name, as in Node: begin it with `^` and end it with `$`. A further call with the
                same pattern returns the same functions.
            requires_connect: Whether a user's capabilities must allow `connect` for the name of a namespace. Default: no.

        Raises:
            ConfigurationError: The pattern has no parameter and is no regular expression, or a gateway serves the same names.

        """
        wanted = NamespacePattern(pattern)
        for known in self._dynamic.templates:
            if isinstance(known, NamespaceFunctions) and known.pattern.text == wanted.text:
                if requires_connect is not None:
                    known.requires_connect = requires_connect
                return known
        functions = NamespaceFunctions(wanted, emit=self._emitted, requires_connect=bool(requires_connect))
        self._dynamic.add(functions)
        return functions

    def _emitted(self, event: str, data: object, **options: Any) -> Awaitable[None]:
        # This is looked up with each call, because programs replace `emit`.
        return self.emit(event, data, **options)

    def registered_handlers(self) -> Mapping[str, object]:
        """Return the objects that serve namespaces, by the name or the text of the pattern, in the order of registration."""
        dynamic = self._dynamic
        of_patterns = {
            one.pattern.text: one for one in dynamic.templates if not isinstance(one, NamespaceFunctions)
        }
        return {**dynamic.static(self.namespace_handlers), **of_patterns}

    def registered_functions(self) -> Mapping[str, Mapping[str, Callable[..., object]]]:
        """Return the functions by event that serve namespaces, by the name or the text of the pattern."""
        dynamic = self._dynamic
        of_patterns = {
            one.pattern.text: one.handlers for one in dynamic.templates if isinstance(one, NamespaceFunctions)
        }
        return {**dynamic.static(self.handlers), **of_patterns}

    def serves(self, namespace: str) -> bool:
        """Return whether clients can connect to a namespace: it, or a pattern that matches it, has handlers."""
        try:
            return self._serves(namespace)
        except InvalidNamespace:
            return False

    def is_of_pattern(self, namespace: str) -> bool:
        """Return whether a pattern serves a namespace, whether or not it has clients here."""
        try:
            return self._dynamic.serves(namespace)
        except InvalidNamespace:
            return False

    def dynamic_namespaces(self) -> Mapping[str, str]:
        """Return the namespaces of patterns that have clients on this node, each with the text of its pattern."""
        return self._dynamic.alive()

    def count_dynamic_namespaces(self) -> Mapping[str, int]:
        """Return the number of namespaces of patterns that have clients on this node, by pattern."""
        return self._dynamic.count_alive()

    def requires_connect(self, namespace: str) -> bool:
        """Return whether a user's capabilities must allow `connect` for a namespace: see `Gateway.requires_connect`."""
        return self._dynamic.is_connect_required(namespace)

    def parameters_of(self, namespace: str) -> Mapping[str, str]:
        """Return the parameters in the name of a namespace of a pattern, while it has clients on this node."""
        return self._dynamic.parameters_of(namespace)

    def has_user_rooms(self, namespace: str) -> bool:
        """Return whether each socket of a user is in that user's room: see `Gateway.has_user_rooms`."""
        return bool(getattr(self._dynamic.handler_of(namespace), "has_user_rooms", False))
