"""Drives python-socketio's AsyncClient; see kinds.py."""

import asyncio
import sys
from typing import Any

import socketio

import lines

_clients: dict[str, socketio.AsyncClient] = {}


async def _open(client: str, url: str, options: dict[str, Any]) -> None:
    sio = _clients[client] = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5)

    def happened(name: str, *args: Any) -> None:
        lines.write(client=client, happened=name, args=args)

    sio.on("connect", lambda: happened("connect"))
    sio.on("disconnect", lambda reason: happened("disconnect", reason))
    sio.on("connect_error", lambda *args: happened("connect_error", *map(str, args)))
    sio.on("question", lambda *args: args)
    sio.on("*", lambda event, *args: happened("event", event, *args))
    await sio.connect(url, **options, wait_timeout=5)


async def _emit(client: str, event: str, args: list[Any]) -> list[Any]:
    answer = asyncio.get_running_loop().create_future()
    await _clients[client].emit(event, tuple(args), callback=lambda *args: answer.set_result(args))
    answered: list[Any] = await answer
    return answered


async def _send(client: str, event: str, args: list[Any]) -> None:
    await _clients[client].emit(event, tuple(args))


async def _close(client: str) -> None:
    await _clients[client].disconnect()


_OPERATIONS = {"open": _open, "emit": _emit, "send": _send, "close": _close}


async def _carry_out(request: dict[str, Any]) -> None:
    number = request.pop("id")
    try:
        lines.write(id=number, ok=await _OPERATIONS[request.pop("op")](**request))
    except Exception as error:
        lines.write(id=number, error=repr(error))


async def main() -> None:
    """Read requests until the input ends."""
    async with asyncio.TaskGroup() as group:
        while line := await asyncio.to_thread(sys.stdin.readline):
            group.create_task(_carry_out(lines.read(line)))
    for sio in _clients.values():
        await sio.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
