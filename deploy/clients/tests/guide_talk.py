"""What official clients see of the application that each guide shows: rooms of named people, and announcements over HTTP."""

from typing import Any

import httpx
from clients import js_clients

NO_ACK, NO_EVENT = "no ack", "no event"
ROOM = "den"
ODD = {"a `say` without a text": ["say", {"room": ROOM}], "an event without a handler": ["wave", ROOM]}
"""What the applications do not expect: an event and its body."""


async def talk(url: str, http_url: str = "") -> dict[str, Any]:
    """Let people talk; returns what was seen of each step, by its name, as JSON values.

    Args:
        url: The server.
        http_url: Where announcements are made. Default: there as well.

    """
    async with js_clients() as clients:
        stranger = await clients.open(url, reconnection=False)
        seen: dict[str, Any] = {"a client without a name": await stranger.wait_for("connect_error")}

        ann = await clients.connect(url, auth={"name": "Ann"}, transports=["websocket"])
        ben = await clients.connect(url, auth={"name": "Ben"}, transports=["polling"])
        odd = {
            what: await clients.connect(url, auth={"name": "Cat"}, kept=[sent]) for what, sent in ODD.items()
        }

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

        for what, client in odd.items():
            # The events of a client are taken in order: what is answered at all has been by now.
            await client.emit("join", "attic")
            seen[f"{what}: ack"] = next(
                (args[0] for happening, args in client.happenings if happening == "ack"), NO_ACK
            )
            seen[f"{what}: event"] = next(
                (event for event in client.events if event[0] == "exception"), NO_EVENT
            )
    return seen
