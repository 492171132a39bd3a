"""Drives python-socketio's Client; see kinds.py."""

import os
import sys
from threading import Thread
from typing import Any

import socketio

import lines

_clients: dict[str, socketio.Client] = {}


def _open(number: int, client: str, url: str, options: dict[str, Any]) -> None:
    sio = _clients[client] = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5)

    def happened(name: str, *args: Any) -> None:
        lines.write(client=client, happened=name, args=args)

    sio.on("connect", lambda: happened("connect"))
    sio.on("disconnect", lambda reason: happened("disconnect", reason))
    sio.on("connect_error", lambda *args: happened("connect_error", *map(str, args)))
    sio.on("question", lambda *args: args)
    sio.on("*", lambda event, *args: happened("event", event, *args))
    sio.connect(url, **options, wait_timeout=5)
    lines.write(id=number, ok=None)


def _emit(number: int, client: str, event: str, args: list[Any]) -> None:
    _clients[client].emit(event, tuple(args), callback=lambda *args: lines.write(id=number, ok=args))


def _send(number: int, client: str, event: str, args: list[Any]) -> None:
    _clients[client].emit(event, tuple(args))
    lines.write(id=number, ok=None)


def _close(number: int, client: str) -> None:
    _clients[client].disconnect()
    lines.write(id=number, ok=None)


_OPERATIONS = {"open": _open, "emit": _emit, "send": _send, "close": _close}


def _carry_out(request: dict[str, Any]) -> None:
    number = request.pop("id")
    try:
        _OPERATIONS[request.pop("op")](number, **request)
    except Exception as error:
        lines.write(id=number, error=repr(error))


def main() -> None:
    """Read requests until the input ends."""
    for line in sys.stdin:
        Thread(target=_carry_out, args=(lines.read(line),), daemon=True).start()
    # A client that is reconnecting keeps its threads alive.
    os._exit(0)


if __name__ == "__main__":
    main()
