"""What official clients observe of the application of each guide: rooms with named members, and announcements over HTTP."""

import asyncio
from typing import Any

import httpx
from clients import Clients, js_clients

NO_ACK, NO_EVENT = "no ack", "no event"
ROOM, OWN_ROOM = "den", "attic"
ODD = {
    "a `say` without a text": ["say", {"room": OWN_ROOM}],
    "a `say` from outside of the room": ["say", {"room": ROOM, "text": "Is it warm inside?"}],
    "an event without a handler": ["wave", ROOM],
}
"""Events, with their bodies, that the applications do not expect from a client that is only in its own room."""
WITHOUT_ACK = ("a `say` without a text that asks for no ack", ["say", {"room": OWN_ROOM}])


async def talk(url: str, http_url: str = "") -> dict[str, Any]:
    """Let clients talk; returns what was observed in each step, by its name, as JSON values.

    Args:
        url: The server.
        http_url: The server of announcements. Default: the same server.

    """
    async with js_clients() as clients:
        stranger = await clients.open(url, reconnection=False)
        seen: dict[str, Any] = {"a client without a name": await stranger.wait_for("connect_error")}

        for what, sent in ODD.items():
            seen[f"{what}: ack"], seen[f"{what}: event"] = await _answer(clients, url, sent)
        what, sent = WITHOUT_ACK
        _, seen[f"{what}: event"] = await _answer(clients, url, sent, asks_for_ack=False)

        ann = await clients.connect(url, auth={"name": "Ann"}, transports=["websocket"])
        ben = await clients.connect(url, auth={"name": "Ben"}, transports=["polling"])
        seen["the ack of `join`"] = [await client.emit("join", ROOM) for client in (ann, ben)]
        await ann.wait_for_event("joined", "Ben")
        seen["the ack of `say`"] = await ann.emit("say", {"room": ROOM, "text": "é ✓"})
        for client in (ann, ben):
            await client.wait_for_event("said")
        seen["the ack of `leave`"] = await ben.emit("leave", ROOM)
        await ann.emit("say", {"room": ROOM, "text": "Alone?"})

        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{http_url or url}/announcements/closing")
        seen["the status of the announcement"] = answer.status_code
        for client in (ann, ben):
            await client.wait_for_event("announced")
        seen["what Ben hears"] = ben.events
        seen["whether events bring an offset"] = bool((await ben.state())["offsets"])
        await ben.close()
        await ann.wait_for_event("gone")
        seen["what Ann hears"] = ann.events
    return seen


async def _answer(
    clients: Clients, url: str, sent: list[Any], *, asks_for_ack: bool = True
) -> tuple[Any, Any]:
    """Let a client send something unexpected; returns its ack, and the error event that it receives."""
    client = await clients.connect(url, auth={"name": "Cat"})
    await client.emit("join", OWN_ROOM)
    send = client.emit if asks_for_ack else client.send
    sending, received = asyncio.create_task(send(*sent)), asyncio.create_task(client.emit("join", OWN_ROOM))
    # The first ack says that the server has the event, the second that the part of its handling that does not wait is done.
    await received
    await client.emit("leave", OWN_ROOM)
    ack = sending.result() if asks_for_ack and sending.done() else NO_ACK
    sending.cancel()
    return ack, next((event for event in client.events if event[0] == "exception"), NO_EVENT)
