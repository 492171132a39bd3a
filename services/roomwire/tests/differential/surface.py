"""What python-socketio offers to those who write for it, found by looking at it.

A method is `emit`, its parameter `emit.skip_sid`; those of class namespaces begin with `namespace:`. A
parameter counts as shown where it was given something else than its default.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import engineio
import pytest
import socketio

SHOWN_ON = {"": socketio.AsyncServer, "namespace:": socketio.AsyncNamespace}
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def methods(owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return the public methods of a class."""
    for name, function in inspect.getmembers(owner, inspect.isfunction):
        if not name.startswith("_"):
            yield name, function


def surface() -> set[str]:
    """Return all public methods and their parameters."""
    return {
        f"{prefix}{name}{parameter}"
        for prefix, owner in SHOWN_ON.items()
        for name, function in methods(owner)
        for parameter in ["", *(f".{each}" for each in list(inspect.signature(function).parameters)[1:])]
    }


def attributes() -> set[str]:
    """Return the public attributes of a server that are no methods."""
    server = socketio.AsyncServer(async_mode="asgi")
    names = {name for name in dir(server) if not name.startswith("_")}
    return names - {name for name, _ in methods(socketio.AsyncServer)}


def options() -> set[str]:
    """Return the names of all options of a server's constructor, those of its engine among them."""
    makers = [socketio.AsyncServer, *socketio.AsyncServer.__mro__, *engineio.AsyncServer.__mro__]
    parameters = [
        parameter
        for maker in makers
        if "__init__" in vars(maker) and maker is not object
        for parameter in list(inspect.signature(maker.__init__).parameters.values())[1:]
    ]
    return {each.name for each in parameters if each.kind not in _VARIABLE} | {"engineio_logger"}


def recorded(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Have calls of the surface noted, for as long as the monkeypatch lasts; returns where."""
    calls: set[str] = set()
    for prefix, owner in SHOWN_ON.items():
        for name, function in methods(owner):
            monkeypatch.setattr(owner, name, _recording(function, f"{prefix}{name}", calls))
    return calls


def _recording(function: Callable[..., Any], name: str, calls: set[str]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        calls.add(name)
        given = list(signature.bind(*args, **options).arguments.items())[1:]
        for parameter, value in given:
            if value is not signature.parameters[parameter].default:
                calls.add(f"{name}.{parameter}")
        return function(*args, **options)

    return call
