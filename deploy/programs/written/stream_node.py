"""A node whose clients a worker streams to, written for python-socketio; its port and its Redis come from the environment."""

import os
from collections.abc import Mapping
from typing import Any

import socketio
import uvicorn

# What is no option of python-socketio: recovery.
MORE = {"recovery": True} if socketio.AsyncServer.__module__.startswith("roomwire") else {}
sio = socketio.AsyncServer(
    async_mode="asgi", client_manager=socketio.AsyncRedisManager(os.environ["REDIS_URL"]), **MORE
)


@sio.event
async def connect(sid: str, environ: Mapping[str, Any]) -> None:
    """Put the client into the room that stands for its user, as a program does whose clients get new ids."""
    await sio.enter_room(sid, "ann")


if __name__ == "__main__":
    uvicorn.run(socketio.ASGIApp(sio), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
