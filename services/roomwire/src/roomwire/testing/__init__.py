"""Tests for your own application: several nodes in one process, clients that speak the real protocol, and a virtual clock.

`roomwire.testing.plugin` is the pytest plugin; its fixture `nodes` creates a `Cluster`. Each name is imported when it is first
used: pytest loads the plugin in every run, and most runs need no server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from roomwire.testing.client import Client, Event
    from roomwire.testing.cluster import Cluster
    from roomwire.testing.errors import Disconnected, HandlerFailed, NothingCame, NothingFailed, Refused
    from roomwire.testing.loop import VirtualLoop
    from roomwire.testing.nodes import Node
    from roomwire.testing.plugin import Nodes

__all__ = [
    "Client",
    "Cluster",
    "Disconnected",
    "Event",
    "HandlerFailed",
    "Node",
    "Nodes",
    "NothingCame",
    "NothingFailed",
    "Refused",
    "VirtualLoop",
]

_HOMES: Final = {
    "Client": "client",
    "Cluster": "cluster",
    "Disconnected": "errors",
    "Event": "client",
    "HandlerFailed": "errors",
    "Node": "nodes",
    "Nodes": "plugin",
    "NothingCame": "errors",
    "NothingFailed": "errors",
    "Refused": "errors",
    "VirtualLoop": "loop",
}


def __getattr__(name: str) -> Any:
    """Import a public name; it is kept, so that the next use is free."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
