"""The packages below the clients: the names of python-socketio and python-engineio that they override, and what makes connections."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from roomwire.errors import PackageMissing
from roomwire.health.packages import Foreign

_CLIENT: Final = (
    "_engineio_client_class",
    "_handle_eio_connect",
    "_handle_eio_disconnect",
    "_handle_eio_message",
    "_handle_reconnect",
    "connect",
    "disconnect",
)
_ENGINE: Final = ("_get_engineio_url", "_receive_packet", "_send_request", "_trigger_event", "connect")

OVERRIDDEN: Final[Mapping[str, tuple[str, ...]]] = {
    "socketio.AsyncClient": _CLIENT,
    "socketio.Client": _CLIENT,
    "engineio.AsyncClient": ("_reset", *_ENGINE),
    "engineio.Client": ("_read_loop_websocket", *_ENGINE),
}
"""The names that the clients override."""

_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "socketio.AsyncClient": (
        "_binary_packet",
        "_connect_event",
        "_get_real_value",
        "_handle_ack",
        "_handle_connect",
        "_handle_disconnect",
        "_handle_error",
        "_handle_event",
        "_reconnect_task",
        "_send_packet",
    ),
    "engineio.AsyncClient": ("current_transport", "external_http", "http", "queue", "state", "ws"),
}
"""The further names that the clients use. The threaded classes have the same."""


def _of(package: str) -> Mapping[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for owner, overridden in OVERRIDDEN.items():
        if owner.startswith(f"{package}."):
            names[owner] = (*overridden, *_READ[f"{package}.AsyncClient"])
    return names


SOCKETIO: Final = Foreign("python-socketio", oldest="5.16", newest="5.18", names=_of("socketio"))
ENGINEIO: Final = Foreign("python-engineio", oldest="4.13", newest="4.15", names=_of("engineio"))

for _package in (SOCKETIO, ENGINEIO):
    _package.check()


def require(**modules: str) -> None:
    """Check that what makes a client's connections is installed.

    Args:
        modules: The packages, by the modules that they bring.

    Raises:
        PackageMissing: A package is not installed.

    """
    for module, package in modules.items():
        if find_spec(module) is None:
            raise PackageMissing(package, extra="client")
