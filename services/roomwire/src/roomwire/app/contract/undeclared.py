"""What the source of an application says that its objects do not: emitted events without a declaration, and provided types. Pure.

The source is read, and never run. What it does not say in so many words stays unknown.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_EMITTING: Final[Mapping[str, int]] = {"emit": 0, "call": 0, "broadcast": 1, "Reply": 0}
"""What emits an event, and which of its arguments is the event's name."""
_PROVIDING: Final = frozenset({"provide", "provide_per_call"})
_OURS: Final = ("roomwire.", "socketio.", "builtins")


@dataclass
class Found:
    """What the source of a class of gateways emits.

    Attributes:
        events: The names of events.
        unnamed: The methods that emit an event whose name is worked out when they run.
        unread: The classes whose source cannot be read.

    """

    events: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)


def emitted_by(gateway: type) -> Found:
    """Return what the source of a class, and of its own bases, emits by `emit`, `broadcast`, `call` and `Reply`."""
    found = Found()
    for kind in gateway.__mro__:
        if f"{kind.__module__}.".startswith(_OURS):
            continue
        source = _source(kind)
        if source is None:
            found.unread.add(kind.__qualname__)
            continue
        for method, name in _events(source):
            if name is None:
                found.unnamed.add(f"{kind.__qualname__}.{method}")
            else:
                found.events.add(name)
    return found


def provided_by(lifespan: Any) -> set[object]:
    """Return the types that a function provides by name: `app.provide(Cards, cards)`."""
    function = inspect.unwrap(lifespan)
    source = _source(function)
    if source is None:
        return set()
    known = {**getattr(function, "__globals__", {}), **_closed_over(function)}
    named = {
        _dotted(call.args[0], known) for call in _calls(source) if _called(call) in _PROVIDING and call.args
    }
    return named - {None}


def _source(of: Any) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(of)))
    except (OSError, TypeError, SyntaxError):
        return None


def _calls(source: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source) if isinstance(node, ast.Call))


def _events(source: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Yield each emitted event with the function around it; None: its name is not in the source."""
    for node in ast.walk(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in _calls(node):
                if (index := _EMITTING.get(_called(call))) is not None:
                    yield node.name, _name_in(call, index)


def _called(call: ast.Call) -> str:
    """Return the last part of what is called: `emit` of `self.server.emit`."""
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        # Other objects have a `call` as well.
        is_ours = call.func.attr != "call" or (isinstance(owner, ast.Attribute) and owner.attr == "server")
        return call.func.attr if is_ours else ""
    return call.func.id if isinstance(call.func, ast.Name) and call.func.id == "Reply" else ""


def _name_in(call: ast.Call, index: int) -> str | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "event"]
    given = [*named, *call.args[index : index + 1]]
    if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
        return given[0].value
    return None


def _dotted(node: ast.expr, known: Mapping[str, object]) -> object:
    """Return what a name, perhaps with attributes, stands for."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_dotted(node.value, known), node.attr, None)
    return None


def _closed_over(function: Any) -> Mapping[str, object]:
    try:
        return inspect.getclosurevars(function).nonlocals
    except (TypeError, ValueError):
        return {}
