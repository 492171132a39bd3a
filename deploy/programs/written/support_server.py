"""The server that the official JavaScript client's own suite talks to, written for python-socketio. The first argument is its port."""

import asyncio
import datetime as dt
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import socketio
import uvicorn

DELAY_S = 0.01
"""By which a handshake is late, so that clients' time limits can be tested."""
TEXTS = ("てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string")
ASDFASDF = b"asdfasdf"
# What is no option of python-socketio: recovery, which the suite's own server has switched on.
MORE = {"recovery": True} if socketio.AsyncServer.__module__.startswith("roomwire") else {}

sio = socketio.AsyncServer(
    async_mode="asgi",
    cors_allowed_origins="*",
    ping_interval=2,
    namespaces=["/", "/foo", "/timeout_socket", "/valid", "/asd", "/abc", "/no"],
    **MORE,
)
seen: dict[str, set[str]] = {}
gone: dict[str, asyncio.Event] = {}


def query_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the query of the first request."""
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))


@sio.event
async def connect(sid: str, environ: Mapping[str, Any]) -> None:
    """Refuse who asks for it."""
    if "fail" in query_of(environ):
        raise socketio.exceptions.ConnectionRefusedError("Auth failed (main namespace)")
    seen[sid] = set()
    gone[sid] = asyncio.Event()


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    """Forget the client."""
    seen.pop(sid, None)
    if sid in gone:
        gone.pop(sid).set()


@sio.on("connect", namespace="/no")
async def refuse(sid: str, environ: Mapping[str, Any]) -> None:
    """Refuse everyone."""
    raise socketio.exceptions.ConnectionRefusedError("Auth failed (custom namespace)")


@sio.on("connect", namespace="/abc")
async def show_handshake(sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
    """Show the client its handshake."""
    handshake = {"query": query_of(environ), "auth": auth or {}}
    await sio.emit("handshake", handshake, to=sid, namespace="/abc")


@sio.on("getId")
@sio.on("getId", namespace="/foo")
async def get_id(sid: str) -> str:
    """Return the client's id."""
    return sid


@sio.on("getHandshake")
async def get_handshake(sid: str) -> dict[str, object]:
    """Return the handshake."""
    return {"query": query_of(sio.get_environ(sid))}


@sio.event
async def hi(sid: str) -> None:
    """Greet."""
    await sio.emit("hi", to=sid)


@sio.event
async def echo(sid: str, value: object) -> tuple[object]:
    """Return the value as the one argument of the ack, also where it is None."""
    return (value,)


@sio.event
async def ack(sid: str) -> None:
    """Ask, and tell the client when its answer is right; acknowledge nothing: what a handler returns would be an ack."""

    async def answered(first: object, second: Mapping[str, object]) -> None:
        if first == 5 and second["test"]:
            await sio.emit("got it", to=sid)

    await sio.emit("ack", to=sid, callback=answered)
    await gone[sid].wait()


def now() -> str:
    """Return the time as JavaScript writes it in JSON."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@sio.on("getAckDate")
async def get_ack_date(sid: str, data: object) -> str:
    """Return the time."""
    return now()


@sio.on("getDate")
async def get_date(sid: str) -> None:
    """Send the time."""
    await sio.emit("takeDate", now(), to=sid)


@sio.on("getDateObj")
async def get_date_in_object(sid: str) -> None:
    """Send the time in an object."""
    await sio.emit("takeDateObj", {"date": now()}, to=sid)


@sio.on("getUtf8")
async def get_texts(sid: str) -> None:
    """Send texts."""
    for text in TEXTS:
        await sio.emit("takeUtf8", text, to=sid)


@sio.on("false")
async def get_false(sid: str) -> None:
    """Send false."""
    await sio.emit("false", False, to=sid)


@sio.event
async def doge(sid: str) -> None:
    """Send bytes."""
    await sio.emit("doge", ASDFASDF, to=sid)


@sio.event
async def getbin(sid: str) -> None:
    """Send bytes."""
    await sio.emit("takebin", ASDFASDF, to=sid)


def answer_bytes(event: str, answer: str) -> None:
    """Answer an event whose argument is bytes."""

    async def handle(sid: str, value: object) -> None:
        if isinstance(value, bytes):
            await sio.emit(answer, to=sid)

    sio.on(event, handle)


def answer_mixed(event: str, answer: str) -> None:
    """Answer an event that has bytes among other values."""

    async def handle(sid: str, value: Mapping[str, object]) -> None:
        if (value["hello"], value["goodbye"]) == ("lol", "gotcha") and isinstance(value["message"], bytes):
            await sio.emit(answer, to=sid)

    sio.on(event, handle)


def answer_last(events: Mapping[str, object], answer: str) -> None:
    """Answer the last of several events, if each came after those before it and with the right argument."""
    names = list(events)

    def register(place: int, event: str, wanted: object) -> None:
        async def handle(sid: str, value: object) -> None:
            is_right = isinstance(value, bytes) if wanted is bytes else value == wanted
            if not is_right or not {*names[:place]} <= seen[sid]:
                return
            seen[sid].add(event)
            if place == len(names) - 1:
                await sio.emit(answer, to=sid)

        sio.on(event, handle)

    for place, (event, wanted) in enumerate(events.items()):
        register(place, event, wanted)


answer_bytes("buffa", "buffack")
answer_bytes("blob", "back")
answer_mixed("jsonbuff", "jsonbuff-ack")
answer_mixed("jsonblob", "jsonblob-ack")
answer_last({"abuff1": bytes, "abuff2": "please arrive second"}, "abuff2-ack")
answer_last({"blob1": bytes, "blob2": "second", "blob3": bytes}, "blob3-ack")
inner = socketio.ASGIApp(sio)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Delay handshakes."""
    if scope["type"] in {"http", "websocket"} and b"sid=" not in scope["query_string"]:
        await asyncio.sleep(DELAY_S)
    await inner(scope, receive, send)


if __name__ == "__main__":
    # The suite names the host `localhost`, which may be the address of either family.
    uvicorn.run(app, host="localhost", port=int(sys.argv[1]), log_level="error")
