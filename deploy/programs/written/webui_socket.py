"""A server in the shape of Open WebUI's: users by token, channels, typing, models in use, and questions to a browser.

`REDIS_URL` names the Redis over which the processes share events.
"""

import os
from typing import Any

import socketio
import uvicorn
from fastapi import FastAPI, Response

USERS = {"token-ann": {"id": "1", "name": "Ann"}, "token-bo": {"id": "2", "name": "Bo"}}
CHANNELS = {"1": ("general", "news"), "2": ("general",)}
REDIS_URL = os.environ.get("REDIS_URL", "")

sio = socketio.AsyncServer(
    cors_allowed_origins="*",
    async_mode="asgi",
    transports=["websocket"],
    allow_upgrades=True,
    always_connect=True,
    client_manager=socketio.AsyncRedisManager(REDIS_URL, redis_options={}) if REDIS_URL else None,
    logger=False,
    engineio_logger=False,
    ping_interval=25,
    ping_timeout=20,
)
app = FastAPI()
app.mount("/ws", socketio.ASGIApp(sio, socketio_path="/ws/socket.io"))

sessions: dict[str, dict[str, str]] = {}
in_use: dict[str, set[str]] = {}


def user_of(data: Any) -> dict[str, str] | None:
    """Return the user of a token, if there is one."""
    return USERS.get((data or {}).get("token", ""))


async def join(sid: str, user: dict[str, str]) -> None:
    """Let a client into the rooms of its user."""
    sessions[sid] = user
    await sio.enter_room(sid, f"user:{user['id']}")
    for channel in CHANNELS[user["id"]]:
        await sio.enter_room(sid, f"channel:{channel}")


async def tell_usage() -> None:
    """Tell all clients which models are in use."""
    await sio.emit("usage", {"models": sorted(model for model, sids in in_use.items() if sids)})


@sio.event
async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    """Take the user of the token; a client without one may name it later."""
    user = user_of(auth)
    if user:
        await join(sid, user)
        await sio.emit("hello", user, to=sid)


@sio.on("user-join")
async def user_join(sid: str, data: Any) -> dict[str, str] | None:
    """Take the user of a token that comes later."""
    user = user_of(data.get("auth"))
    if user:
        await join(sid, user)
    return user


@sio.on("join-channels")
async def join_channels(sid: str, data: Any) -> list[str]:
    """Let a client into its channels again."""
    user = user_of(data.get("auth"))
    if not user:
        return []
    await join(sid, user)
    return sorted(room for room in sio.rooms(sid) if room.startswith("channel:"))


@sio.on("channel-events")
async def channel_events(sid: str, data: Any) -> None:
    """Pass an event on to the members of a channel, if a member sends it."""
    room = f"channel:{data['channel']}"
    if sid in {member for member, _ in sio.manager.get_participants(namespace="/", room=room)}:
        await sio.emit("channel-events", {**data, "from": sessions[sid]["name"]}, room=room)


@sio.event
async def usage(sid: str, data: Any) -> None:
    """Note the model that a client uses."""
    in_use.setdefault(data["model"], set()).add(sid)
    await tell_usage()


@sio.event
async def disconnect(sid: str, reason: str | None = None) -> None:
    """Forget a client."""
    sessions.pop(sid, None)
    for sids in in_use.values():
        sids.discard(sid)
    await tell_usage()


@app.get("/")
async def server() -> dict[str, str]:
    """Name the package of the server's class."""
    return {"server": type(sio).__module__.partition(".")[0]}


@app.get("/rooms")
async def rooms() -> dict[str, list[str]]:
    """Show who is in which channel."""
    found = sio.manager.rooms.get("/", {})
    return {
        room: sorted(sessions[sid]["name"] for sid, _ in sio.manager.get_participants("/", room))
        for room in sorted(name for name in found if name and name.startswith("channel:"))
    }


@app.post("/tell/{user}")
async def tell(user: str) -> None:
    """Send an event to all clients of a user, on every process."""
    await sio.emit("events", {"type": "chat:title"}, room=f"user:{user}")


@app.post("/ask/{sid}")
async def ask(sid: str, response: Response, wait_s: float = 20) -> Any:
    """Ask a browser, as a tool that runs in it is asked."""
    try:
        return await sio.call("execute", {"code": "6 * 7"}, to=sid, timeout=wait_s)
    except socketio.exceptions.TimeoutError:
        response.status_code = 504
        return "no answer"


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
