"""python-socketio as it comes, on uvicorn with everything that makes it faster; with `REDIS_URL`, it is one of several nodes."""

import os
from typing import Any

import socketio
import uvicorn

redis_url = os.environ.get("REDIS_URL")
manager = socketio.AsyncRedisManager(redis_url) if redis_url else None
sio = socketio.AsyncServer(async_mode="asgi", client_manager=manager)


@sio.on("joinRoom")
async def join_room(sid: str, body: dict[str, str]) -> str:
    """Join a room."""
    await sio.enter_room(sid, body["roomId"])
    return "joined"


@sio.on("chatMessage")
async def chat_message(_: str, body: dict[str, str]) -> None:
    """Say something in a room."""
    await sio.emit("roomMessage", body["message"], to=body["roomId"])


@sio.on("echo")
async def echo(_: str, body: Any) -> Any:
    """Return what was said."""
    return body


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(sio),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        ws=os.environ.get("BENCH_WS", "websockets-sansio"),
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )
