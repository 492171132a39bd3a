"""The tutorial's clients, the official library, through the real ingress, over two gateways."""

import asyncio

import pytest
from clients import Client, Clients

from roomwire_local.system import LocalSystem

WAYS = [
    pytest.param({}, "websocket", id="polling, then upgrade"),
    pytest.param({"transports": ["polling"]}, "polling", id="polling only"),
    pytest.param({"transports": ["websocket"]}, "websocket", id="WebSocket only"),
]


async def on_two_gateways(clients: Clients, system: LocalSystem, **options: object) -> tuple[Client, Client]:
    """Return two clients that sit on different gateways."""
    first = await clients.connect(system.url, **options)
    for _ in range(10):
        second = await clients.connect(system.url, **options)
        if await second.gateway() != await first.gateway():
            return first, second
    raise AssertionError("ten clients in a row were given the same gateway")


@pytest.mark.parametrize(("options", "transport"), WAYS)
async def test_the_tutorials_client_is_greeted_and_every_emit_is_acknowledged(
    clients, system, options, transport
):
    client = await clients.connect(system.url, **options)
    if not options:
        await client.wait_for("upgrade")
    state = await client.state()
    assert transport == state["transport"]
    assert [f"Welcome, {state['id']}!"] == await client.wait_for_event("welcome")

    assert "Message received!" == await client.emit("message", "hello")
    assert [f"[{state['id']}] hello"] == await client.wait_for_event("message")
    assert "Joined room den" == await client.emit("joinRoom", {"roomId": "den", "userName": "Ann"})
    assert ["Ann has joined room den"] == await client.wait_for_event("roomMessage")
    said = {"roomId": "den", "message": "good day", "userName": "Ann"}
    assert "Message sent to room" == await client.emit("chatMessage", said)
    assert ["[Ann in den] good day"] == await client.wait_for_event("roomMessage", "[Ann in den] good day")
    assert "Left room den" == await client.emit("leaveRoom", {"roomId": "den"})


@pytest.mark.parametrize(("options", "transport"), WAYS)
async def test_a_room_spans_gateways(clients, system, options, transport):
    ann, bob = await on_two_gateways(clients, system, **options)
    room = f"across {transport} {len(options)}"
    await ann.emit("joinRoom", {"roomId": room, "userName": "Ann"})
    await bob.emit("joinRoom", {"roomId": room, "userName": "Bob"})
    assert [f"Bob has joined room {room}"] == await ann.wait_for_event(
        "roomMessage", f"Bob has joined room {room}"
    )

    await ann.emit("chatMessage", {"roomId": room, "message": "hi Bob", "userName": "Ann"})
    await bob.emit("chatMessage", {"roomId": room, "message": "hi Ann", "userName": "Bob"})
    for client in (ann, bob):
        assert [f"[Ann in {room}] hi Bob"] == await client.wait_for_event(
            "roomMessage", f"[Ann in {room}] hi Bob"
        )
        assert [f"[Bob in {room}] hi Ann"] == await client.wait_for_event(
            "roomMessage", f"[Bob in {room}] hi Ann"
        )
    presence = await ann.emit("presence", {"roomId": room})
    assert {"Ann": await ann.gateway(), "Bob": await bob.gateway()} == {
        member["user"]: member["gateway"] for member in presence["members"]
    }


async def test_what_a_polling_client_kept_while_it_was_away_is_taken_whole(clients, system):
    """Three hundred events in one payload, where a gateway takes a hundred a second of one connection."""
    kept = [["presence", {"roomId": f"kept {number}"}] for number in range(300)]
    client = await clients.connect(system.url, transports=["polling"], kept=kept)
    await client.wait_for("ack", {"room": "kept 299", "count": 0, "members": []})
    acks = [args[0] for happening, args in client.happenings if happening == "ack"]
    assert [f"kept {number}" for number in range(300)] == [ack["room"] for ack in acks]


async def test_who_left_a_room_hears_nothing_from_it_any_more(clients, system):
    ann, bob = await on_two_gateways(clients, system)
    for client, name in ((ann, "Ann"), (bob, "Bob")):
        await client.emit("joinRoom", {"roomId": "left", "userName": name})
    await bob.emit("leaveRoom", {"roomId": "left", "userName": "Bob"})
    await ann.emit("chatMessage", {"roomId": "left", "message": "alone?", "userName": "Ann"})
    await ann.wait_for_event("roomMessage", "[Ann in left] alone?")
    # What is said to everybody comes after what was said in the room, on Bob's gateway as well.
    await ann.emit("message", "the end")
    await bob.wait_for_event("message")
    assert ["roomMessage", "[Ann in left] alone?"] not in bob.events


async def test_only_clients_that_ask_for_it_get_the_structured_form(clients, system):
    plain = await clients.connect(system.url)
    asking = await clients.connect(system.url, auth={"structured": True})
    for client, name in ((plain, "Plain"), (asking, "Asking")):
        await client.emit("joinRoom", {"roomId": "forms", "userName": name})
    said = {"roomId": "forms", "message": "hi", "userName": "Plain", "messageId": "m-1"}
    await plain.emit("chatMessage", said)
    text = "[Plain in forms] hi"
    assert [text] == await plain.wait_for_event("roomMessage", text)
    _, structured = await asking.wait_for_event("roomMessage", text)
    assert {"id": "m-1", "room": "forms", "user": "Plain", "text": "hi", "kind": "message"} == {
        key: value for key, value in structured.items() if key != "at"
    }


async def test_a_wrong_body_gets_an_error_ack_that_names_the_field(clients, system):
    client = await clients.connect(system.url)
    error = {
        "code": "invalid_body",
        "message": "Object missing required field `userName`.",
        "retryable": False,
    }
    assert {"error": error} == await client.emit("joinRoom", {"roomId": "den"})
    await client.send("joinRoom", {"roomId": "den"})
    assert [error] == await client.wait_for_event("exception")


async def test_twenty_default_clients_without_cookies_stay_connected_and_upgrade(clients, system):
    crowd = [await clients.connect(system.url) for _ in range(20)]
    await asyncio.gather(*(client.wait_for("upgrade", "websocket") for client in crowd))
    acks = await asyncio.gather(*(client.emit("message", "still here") for client in crowd))
    assert {"Message received!"} == set(acks)
    assert {"gateway-1", "gateway-2"} == {await client.gateway() for client in crowd}
    assert [] == [
        happening for client in crowd for happening in client.happenings if happening[0] == "disconnect"
    ]
