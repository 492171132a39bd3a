"""Makes `Server` a drop-in for `socketio.AsyncServer`: checks the names that it overrides, and the options that it takes."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from socketio.async_admin import InstrumentedAsyncServer

from roomwire.health.packages import Foreign
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.log.contract import Log
from roomwire.log.memory.log import MemoryLog
from roomwire.log.opening import open_log
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.wire_format import WireFormat
from roomwire.server.client_managers import ManagedLog

OVERRIDDEN: Final[Mapping[str, tuple[str, ...]]] = {
    "socketio.AsyncServer": (
        "_engineio_server_class",
        "_handle_connect",
        "_handle_disconnect",
        "_handle_eio_connect",
        "_handle_eio_disconnect",
        "_handle_eio_message",
        "_handle_event",
        "_handle_event_internal",
        "_send_packet",
        "_trigger_event",
        "emit",
        "register_namespace",
        "save_session",
        "call",
        "handle_request",
        "shutdown",
    ),
    "socketio.AsyncManager": (
        "_generate_ack_id",
        "basic_disconnect",
        "basic_enter_room",
        "basic_leave_room",
        "can_disconnect",
        "close_room",
        "connect",
        "disconnect",
        "eio_sid_from_sid",
        "emit",
        "enter_room",
        "get_participants",
        "get_rooms",
        "is_connected",
        "is_pre_connected",
        "is_sid_room",
        "leave_room",
        "pre_connect",
        "pre_disconnect",
        "sid_from_eio_sid",
    ),
    "socketio.packet.Packet": ("add_attachment", "data_is_binary", "decode", "encode", "reconstruct_binary"),
    "engineio.AsyncServer": (
        "_cors_allowed_origins",
        "_cors_headers",
        "_get_socket",
        "disconnect",
        "generate_id",
        "handle_request",
        "send",
        "send_packet",
        "shutdown",
    ),
}
"""The names of python-socketio and python-engineio that this module and those below override."""

NEWER: Final[Mapping[str, str]] = {"is_pre_connected": "5.18", "is_sid_room": "5.17", "pre_connect": "5.18"}
"""The release of python-socketio that introduced each of these. With an older release, only our server has them."""


def _of(package: str) -> Mapping[str, tuple[str, ...]]:
    return {owner: names for owner, names in OVERRIDDEN.items() if owner.startswith(f"{package}.")}


SOCKETIO: Final = Foreign("python-socketio", oldest="5.16", newest="5.18", names=_of("socketio"), since=NEWER)
ENGINEIO: Final = Foreign("python-engineio", oldest="4.13", newest="4.15", names=_of("engineio"))
OPTIONS_OF_LIMITS: Final = frozenset({"ping_interval", "ping_timeout", "max_http_buffer_size"})
"""The options of python-socketio that take precedence over `Limits`."""

_log = get_logger(__name__)
_READ_LATER: Final = ContextVar("settings_read_later", default=False)

for _package in (SOCKETIO, ENGINEIO):
    _package.check()


def is_of_admin(handler: object) -> bool:
    """Return whether a handler belongs to python-socketio's admin, which `instrument` attaches to a server."""
    return isinstance(getattr(handler, "__self__", None), InstrumentedAsyncServer)


def with_our_own_way(options: Mapping[str, object], *, wire: WireFormat) -> Mapping[str, object]:
    """Return python-socketio's options with the built-in ones; refuse options that would have no effect.

    Args:
        options: The program's options.
        wire: The form of packets on the wire.

    """
    if options.get("async_mode") not in {None, "asgi"}:
        raise ValueError("async_mode: Roomwire is an ASGI application; leave it out")
    return {
        **options,
        "serializer": wire.packet_class,
        # By default, python-socketio uses the mode of Tornado or Sanic if one is installed.
        "async_mode": "asgi",
        # Its purpose, emitting in a connect handler, works without it, and a refusal is a CONNECT_ERROR.
        "always_connect": False,
    }


def with_values(**options: object) -> Mapping[str, object]:
    """Return those of python-socketio's own options that have another value than their default."""
    default = {"logger": False, "async_handlers": True, "serializer": "default"}
    return {name: value for name, value in options.items() if value is not default.get(name)}


def node_name_of(managed: ManagedLog | None, name: str) -> str:
    """Return the name of a node: that of the argument or, where several processes run one program, a unique one."""
    return f"node-{secrets.token_hex(4)}" if managed is not None and name == "node" else name


def open_managed(managed: ManagedLog, *, node: str, config: LogConfig, metrics: Metrics) -> Log:
    """Return the log that python-socketio's manager stands for."""
    if managed.unused:
        _log.info("redis options not needed", names=managed.unused)
    return open_log(managed.url, node=node, prefix=managed.prefix, config=config, metrics=metrics)


def times_of(options: Mapping[str, Any], limits: Limits) -> LogConfig:
    """Return the times of a log whose clients are pinged by these options or, by default, these limits."""
    interval = options.get("ping_interval", limits.ping_interval_s)
    interval_s = float(interval[0] if isinstance(interval, tuple) else interval)
    return LogConfig.for_pings(interval_s, float(options.get("ping_timeout", limits.ping_timeout_s)))


def longest_round_of(log: Log) -> float:
    """Return the maximum sum of ping interval and ping timeout with which a log keeps its promises, in seconds."""
    config = log.config
    if isinstance(log, MemoryLog):
        return config.session_ttl_s
    return config.ping_interval_s + config.ping_timeout_s


@contextlib.contextmanager
def settings_read_later() -> Iterator[None]:
    """Create servers that will be served with the settings later, without a warning that they read none."""
    token = _READ_LATER.set(True)
    try:
        yield
    finally:
        _READ_LATER.reset(token)


def unread_settings(environ: Mapping[str, str], *, has_log: bool, authenticates: bool) -> Sequence[str]:
    """Return the gateway service's important settings in an environment that a server by itself does not read.

    Args:
        environ: The environment.
        has_log: Whether the server has a log that connects it with others.
        authenticates: Whether the server authenticates clients.

    """
    if _READ_LATER.get():
        return []
    unread = [] if authenticates else ["ROOMWIRE_AUTH_MODE"]
    if not has_log:
        unread += ["ROOMWIRE_REDIS_URL", "ROOMWIRE_REDIS_URL_FILE"]
    return [name for name in unread if environ.get(name, "off") not in {"off", "memory://"}]
