"""The chat as its clients see it: real clients, real gateways."""

from datetime import datetime

import pytest
from live import Client
from waiting import until

from roomwire_gateway.chat import ChatGateway
from roomwire_gateway.members import MAX_ROOMS_PER_CONNECTION

ANN = {"roomId": "den", "userName": "Ann"}
BOB = {"roomId": "den", "userName": "Bob"}
HELLO = {"roomId": "den", "message": "hello", "userName": "Ann"}
STRUCTURED = {"structured": True}


@pytest.fixture(params=["memory", "redis"])
async def address(request, gateway):
    """Where a gateway listens, on each log."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    return (await gateway(url)).address


async def events_until_marked(client, by):
    """Return what a client got, up to a message to everybody that is sent now."""
    await by.emit("message", "mark")
    await until(lambda: [event for event in client.events if event[0] == "message"])
    return [event for event in client.events if event[0] not in {"welcome", "message"}]


async def last(client, name, count):
    """Return the arguments of the last of so many events of a name."""
    return [await client.event(name) for _ in range(count)][-1]


async def test_a_client_is_greeted_with_its_id(address):
    async with Client.connected(address) as client:
        assert [f"Welcome, {client.sid}!"] == await client.event("welcome")


async def test_a_message_goes_to_everybody(address):
    async with Client.connected(address) as ann, Client.connected(address) as bob:
        assert "Message received!" == await ann.emit("message", "hello")

        for client in (ann, bob):
            assert [f"[{ann.sid}] hello"] == await client.event("message")


async def test_a_room_is_told_who_joined(address):
    async with Client.connected(address) as ann, Client.connected(address) as bob:
        assert "Joined room den" == await ann.emit("joinRoom", ANN)
        assert ["Ann has joined room den"] == await ann.event("roomMessage")
        assert "Joined room den" == await bob.emit("joinRoom", BOB)

        for client in (ann, bob):
            assert ["Bob has joined room den"] == await client.event("roomMessage")


async def test_a_second_join_is_one_join(address):
    async with Client.connected(address) as ann, Client.connected(address) as bob:
        for client in (ann, bob):
            await client.emit("joinRoom", ANN)
        await ann.event("roomMessage")
        await ann.event("roomMessage")
        assert "Joined room den" == await ann.emit("joinRoom", ANN)

        assert [] == await events_until_marked(ann, by=bob)
        assert 2 == (await ann.emit("presence", {"roomId": "den"}))["count"]


async def test_joining_again_under_another_name_is_told(address):
    async with Client.connected(address) as client:
        await client.emit("joinRoom", ANN)
        await client.emit("joinRoom", BOB)

        assert ["Ann has joined room den"] == await client.event("roomMessage")
        assert ["Bob has joined room den"] == await client.event("roomMessage")
        presence = await client.emit("presence", {"roomId": "den"})
        assert (1, ["Bob"]) == (presence["count"], [member["user"] for member in presence["members"]])


async def test_a_message_to_a_room_goes_to_its_members_alone(address):
    async with (
        Client.connected(address) as ann,
        Client.connected(address) as bob,
        Client.connected(address) as eve,
    ):
        for client, body in ((ann, ANN), (bob, BOB), (eve, {"roomId": "attic", "userName": "Eve"})):
            await client.emit("joinRoom", body)
        await eve.event("roomMessage")
        assert "Message sent to room" == await ann.emit("chatMessage", HELLO)

        for client in (ann, bob):
            await until(lambda client=client: ["roomMessage", "[Ann in den] hello"] in client.events)
        assert [] == await events_until_marked(eve, by=ann)


async def test_who_left_a_room_gets_nothing_of_it_and_the_others_are_told(address):
    async with Client.connected(address) as ann, Client.connected(address) as bob:
        await ann.emit("joinRoom", ANN)
        await bob.emit("joinRoom", BOB)
        assert "Left room den" == await ann.emit("leaveRoom", {"roomId": "den"})
        ann.events.clear()
        await until(lambda: ["roomMessage", "Ann has left room den"] in bob.events)
        await bob.emit("chatMessage", HELLO)

        assert [] == await events_until_marked(ann, by=bob)
        assert 1 == (await ann.emit("presence", {"roomId": "den"}))["count"]


async def test_leaving_a_room_that_one_is_not_in_is_no_error_and_not_told(address):
    async with Client.connected(address) as ann, Client.connected(address) as bob:
        await bob.emit("joinRoom", BOB)
        await bob.event("roomMessage")
        assert "Left room den" == await ann.emit("leaveRoom", {"roomId": "den"})

        assert [] == await events_until_marked(bob, by=ann)


async def test_the_structured_form_comes_as_a_second_argument_to_those_who_asked(address):
    async with Client.connected(address) as plain, Client.connected(address, STRUCTURED) as client:
        await plain.emit("joinRoom", ANN)
        await client.emit("joinRoom", BOB)
        await client.event("roomMessage")
        await plain.emit("chatMessage", HELLO | {"messageId": "m-1"})
        text, message = await client.event("roomMessage")

        assert "[Ann in den] hello" == text
        assert datetime.fromisoformat(message.pop("at")).tzinfo is not None
        assert {"id": "m-1", "room": "den", "user": "Ann", "text": "hello", "kind": "message"} == message
        await until(lambda: len([event for event in plain.events if event[0] == "roomMessage"]) == 3)
        assert [2, 2, 2] == [len(event) for event in plain.events if event[0] == "roomMessage"]


async def test_a_message_to_everybody_has_a_structured_form_without_room(address):
    async with Client.connected(address) as plain, Client.connected(address, STRUCTURED) as client:
        await plain.emit("message", "hello")
        text, message = await client.event("message")

        assert f"[{plain.sid}] hello" == text
        assert (plain.sid, "hello") == (message["user"], message["text"])
        assert {"id", "user", "text", "at"} == set(message)
        assert [f"[{plain.sid}] hello"] == await plain.event("message")


async def test_coming_and_going_has_a_structured_form(address):
    async with Client.connected(address, STRUCTURED) as ann, Client.connected(address) as bob:
        await ann.emit("joinRoom", ANN)
        await bob.emit("joinRoom", BOB)
        await bob.emit("leaveRoom", {"roomId": "den"})

        told = [await ann.event("roomMessage") for _ in range(3)]
        assert [("joined", "Ann"), ("joined", "Bob"), ("left", "Bob")] == [
            (message["kind"], message["user"]) for _, message in told
        ]
        assert [text for text, _ in told] == [message["text"] for _, message in told]


async def test_presence_is_told_as_it_changes(address):
    async with Client.connected(address, STRUCTURED) as ann:
        await ann.emit("joinRoom", ANN)
        await ann.event("presence")
        async with Client.connected(address) as bob:
            await bob.emit("joinRoom", BOB)
            member = {"id": bob.sid, "user": "Bob", "gateway": "n1"}
            assert [{"room": "den", "joined": member}] == await ann.event("presence")
            presence = await ann.emit("presence", {"roomId": "den"})
            assert (2, True) == (presence["count"], member in presence["members"])

        assert [{"room": "den", "left": bob.sid}] == await ann.event("presence")
        assert 1 == (await ann.emit("presence", {"roomId": "den"}))["count"]


async def test_typing_is_told_to_the_others_who_asked_for_structure(address):
    async with (
        Client.connected(address, STRUCTURED) as ann,
        Client.connected(address, STRUCTURED) as bob,
        Client.connected(address) as plain,
    ):
        for client in (ann, bob, plain):
            await client.emit("joinRoom", ANN)
        await ann.emit("typing", ANN)

        assert [{"room": "den", "user": "Ann"}] == await bob.event("typing")
        for client in (ann, plain):
            assert [] == [
                event for event in await events_until_marked(client, by=bob) if event[0] == "typing"
            ]
            client.events.clear()


async def test_history_is_what_was_said_oldest_first(address):
    async with Client.connected(address) as client:
        for number in range(5):
            await client.emit("chatMessage", HELLO | {"message": str(number)})
        history = await client.emit("history", {"roomId": "den", "limit": 3})

        assert ("den", ["2", "3", "4"]) == (
            history["room"],
            [message["text"] for message in history["messages"]],
        )
        assert {"room": "attic", "messages": []} == await client.emit("history", {"roomId": "attic"})


async def test_what_a_client_says_again_under_its_message_id_is_heard_once(address):
    async with Client.connected(address) as plain, Client.connected(address, STRUCTURED) as client:
        for each, body in ((plain, ANN), (client, BOB)):
            await each.emit("joinRoom", body)
        said = HELLO | {"messageId": "m-1"}
        assert ["Message sent to room"] * 2 == [await plain.emit("chatMessage", said) for _ in range(2)]

        for each in (plain, client):
            heard = [event for event in await events_until_marked(each, by=plain) if "hello" in event[1]]
            assert 1 == len(heard)
            each.events.clear()
        history = await plain.emit("history", {"roomId": "den"})
        assert ["m-1"] == [message["id"] for message in history["messages"]]


async def test_nobody_can_silence_another_by_taking_its_message_id(address):
    async with Client.connected(address) as ann, Client.connected(address) as eve:
        await ann.emit("joinRoom", ANN)
        for client, text in ((eve, "taken"), (ann, "mine")):
            await client.emit("chatMessage", HELLO | {"messageId": "m-1", "message": text})
        texts = [event[1] for event in await events_until_marked(ann, by=eve) if event[0] == "roomMessage"]
        assert ["[Ann in den] taken", "[Ann in den] mine"] == texts[-2:]
        history = await ann.emit("history", {"roomId": "den"})
        assert ["taken", "mine"] == [message["text"] for message in history["messages"]]


async def test_the_same_message_id_in_another_room_is_another_message(address):
    async with Client.connected(address) as ann:
        for room in ("den", "attic"):
            await ann.emit("joinRoom", ANN | {"roomId": room})
            await ann.emit("chatMessage", HELLO | {"messageId": "m-1", "roomId": room})
        texts = [event[1] for event in await events_until_marked(ann, by=ann) if event[0] == "roomMessage"]
        assert {"[Ann in den] hello", "[Ann in attic] hello"} <= set(texts)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("q2/r", "t"), ("q2", "r/t")),
        (("q2", "r/t"), ("q2/r", "t")),
        (("a/", "b"), ("a", "/b")),
        (("a~1b", "c"), ("a", "b/c")),
        (("a~1b", "c"), ("a/b", "c")),
        (("a~", "1b"), ("a", "~1b")),
    ],
)
async def test_no_room_and_message_id_are_taken_for_another_pair(address, first, second):
    async with Client.connected(address) as ann:
        for text, (room, message_id) in zip(("one", "two"), (first, second), strict=True):
            await ann.emit("joinRoom", ANN | {"roomId": room})
            said = HELLO | {"messageId": message_id, "roomId": room, "message": text}
            assert "Message sent to room" == await ann.emit("chatMessage", said)
        texts = [event[1] for event in await events_until_marked(ann, by=ann) if event[0] == "roomMessage"]
        assert {f"[Ann in {first[0]}] one", f"[Ann in {second[0]}] two"} <= set(texts)


async def test_a_member_of_a_room_is_reached_by_the_rooms_own_name(gateway):
    running = await gateway("memory://")
    async with Client.connected(running.address) as ann, Client.connected(running.address, STRUCTURED) as bob:
        for client in (ann, bob):
            await client.emit("joinRoom", ANN)
        await running.app.server.emit("price", "tea", to="den")
        for client in (ann, bob):
            assert ["tea"] == await client.event("price")
        await ann.emit("leaveRoom", {"roomId": "den"})
        assert {bob.sid} == set(running.app.server.manager.rooms["/"]["den"])


@pytest.mark.parametrize("name", ["user:account:1", "full:den", "text:den", "full", "text", "user"])
async def test_no_name_of_a_room_leads_into_a_room_of_the_chats_own(gateway, name):
    running = await gateway("memory://")
    async with Client.connected(running.address) as eve, Client.connected(running.address) as ann:
        await eve.emit("joinRoom", {"roomId": name, "userName": "Eve"})
        before = set(running.app.server.rooms(ann.sid))
        assert name not in set(running.app.server.rooms(eve.sid)) - before
        await ann.emit("joinRoom", {"roomId": name, "userName": "Ann"})
        await ann.emit("chatMessage", HELLO | {"roomId": name})
        assert [f"[Ann in {name}] hello"] == await last(eve, "roomMessage", 3)


async def test_no_name_of_a_room_leads_into_a_sockets_own_room(gateway):
    running = await gateway("memory://")
    async with Client.connected(running.address) as eve, Client.connected(running.address) as ann:
        await eve.emit("joinRoom", {"roomId": ann.sid, "userName": "Eve"})
        await running.app.server.emit("secret", 1, to=ann.sid)
        assert [1] == await ann.event("secret")
        assert [] == [event for event in await events_until_marked(eve, by=ann) if event[0] == "secret"]


async def test_rooms_are_told_the_largest_first(address):
    async with Client.connected(address) as ann, Client.connected(address) as bob:
        await ann.emit("joinRoom", ANN | {"roomId": "attic"})
        for client in (ann, bob):
            await client.emit("joinRoom", ANN)

        assert {"rooms": [{"room": "den", "members": 2}, {"room": "attic", "members": 1}]} == await ann.emit(
            "rooms"
        )


BAD_BODIES = [
    pytest.param("message", [], "`text`", id="no text"),
    pytest.param("message", [1], "text", id="a number for a text"),
    pytest.param("message", [""], "text", id="an empty text"),
    pytest.param("message", ["x" * 4_001], "text", id="a long text"),
    pytest.param("message", ["\ud800"], "text", id="a lone surrogate"),
    pytest.param("joinRoom", [ANN | {"extra": 1}], "`extra`", id="an unknown field"),
    pytest.param("joinRoom", [{"roomId": "den"}], "`userName`", id="a missing field"),
    pytest.param("joinRoom", [ANN | {"roomId": "\ud800"}], "Unicode", id="a room of a lone surrogate"),
    pytest.param("joinRoom", ["den"], "body", id="a text for an object"),
    pytest.param("chatMessage", [HELLO | {"message": "x" * 4_001}], "message", id="a long message"),
    pytest.param("history", [{"roomId": "den", "limit": 201}], "limit", id="much history"),
    pytest.param("presence", [{}], "`roomId`", id="presence nowhere"),
    pytest.param("presence", [{"roomId": "x" * 65}], "roomId", id="presence in a long room"),
    pytest.param("leaveRoom", [{"roomId": ""}], "roomId", id="a room without a name"),
]


@pytest.mark.parametrize(("event", "body", "named"), BAD_BODIES)
async def test_a_bad_body_is_refused_and_what_is_wrong_is_named(gateway, event, body, named):
    running = await gateway()
    async with Client.connected(running.address) as client:
        error = (await client.emit(event, *body))["error"]

        assert ("invalid_body", False) == (error["code"], error["retryable"])
        assert named in error["message"]


async def test_a_bad_connect_option_is_a_refusal(gateway):
    running = await gateway()
    async with Client.open(running.address) as client:
        assert "invalid_body" == (await client.connect({"structured": "yes"}))["data"]["code"]


async def test_a_connection_can_be_in_a_hundred_rooms_and_no_more(gateway):
    running = await gateway()
    async with Client.connected(running.address) as client:
        for number in range(MAX_ROOMS_PER_CONNECTION):
            assert f"Joined room {number}" == await client.emit("joinRoom", ANN | {"roomId": str(number)})
        error = (await client.emit("joinRoom", ANN | {"roomId": "one more"}))["error"]
        assert ("forbidden", False) == (error["code"], error["retryable"])

        assert "Joined room 0" == await client.emit("joinRoom", BOB | {"roomId": "0"})
        await client.emit("leaveRoom", {"roomId": "1"})
        assert "Joined room one more" == await client.emit("joinRoom", ANN | {"roomId": "one more"})


async def test_a_room_named_like_somebodys_id_is_not_that_somebody(address):
    async with Client.connected(address) as ann, Client.connected(address) as eve:
        await eve.emit("joinRoom", {"roomId": ann.sid, "userName": "Eve"})
        await eve.emit("chatMessage", {"roomId": ann.sid, "message": "psst", "userName": "Eve"})

        assert [] == await events_until_marked(ann, by=eve)


async def test_rooms_reach_across_gateways(gateway, redis_url):
    first, second = await gateway(redis_url), await gateway(redis_url, node_name="n2")
    async with Client.connected(first.address) as ann, Client.connected(second.address, STRUCTURED) as bob:
        await ann.emit("joinRoom", ANN)
        await bob.emit("joinRoom", BOB)
        await ann.emit("chatMessage", HELLO)

        await until(lambda: [event for event in bob.events if event[1] == "[Ann in den] hello"])
        assert {"n1", "n2"} == {
            member["gateway"] for member in (await ann.emit("presence", {"roomId": "den"}))["members"]
        }
        assert ["hello"] == [
            message["text"] for message in (await bob.emit("history", {"roomId": "den"}))["messages"]
        ]


async def test_a_join_that_could_not_be_told_to_the_other_gateways_has_not_happened(gateway, own_redis):
    running = await gateway(own_redis.url, redis_timeout_s=0.3)
    async with Client.connected(running.address) as ann:
        own_redis.kill()
        error = (await ann.emit("joinRoom", ANN))["error"]
        assert ("unavailable", True) == (error["code"], error["retryable"])
        await until(lambda: not running.metric("backplane_up"))

        own_redis.start()
        await until(lambda: running.metric("backplane_up"))
        assert 0 == (await ann.emit("presence", {"roomId": "den"}))["count"]
        async with Client.connected(running.address) as bob:
            await bob.emit("joinRoom", BOB)
            await bob.emit("chatMessage", HELLO | {"userName": "Bob"})
            assert [] == [
                event for event in await events_until_marked(ann, by=bob) if event[1] == "[Bob in den] hello"
            ]
        assert "Joined room den" == await ann.emit("joinRoom", ANN)


async def test_what_redis_did_not_take_is_not_said_to_be_sent(gateway, own_redis):
    running = await gateway(own_redis.url, redis_timeout_s=0.3)
    async with Client.connected(running.address) as client:
        # Asked in vain, then away for sure: nobody knows what became of it, or it was not done.
        for harm in (own_redis.pause, own_redis.kill):
            harm()
            for event, body in (("message", "hello"), ("chatMessage", HELLO), ("history", {"roomId": "den"})):
                error = (await client.emit(event, body))["error"]
                assert ("unavailable", True) == (error["code"], error["retryable"])


async def test_who_comes_while_redis_is_away_is_not_refused_but_has_to_come_again(gateway, own_redis):
    running = await gateway(own_redis.url, redis_timeout_s=0.3)
    own_redis.kill()
    async with Client.open(running.address) as client:
        await client.send_frame("40")
        await client.ended()
        assert [] == [frame for frame in client.frames if frame.startswith("44")]

    own_redis.start()
    await until(lambda: running.metric("backplane_up"))
    async with Client.connected(running.address) as client:
        assert [f"Welcome, {client.sid}!"] == await client.event("welcome")


async def test_who_leaves_while_redis_is_away_is_no_member_once_it_is_back(gateway, own_redis):
    running = await gateway(own_redis.url, redis_timeout_s=0.3)
    async with Client.connected(running.address) as ann:
        await ann.emit("joinRoom", ANN)
        own_redis.kill()
    await until(lambda: not running.app.server.manager.rooms)
    await until(lambda: not running.metric("backplane_up"))
    own_redis.start()
    await until(lambda: running.metric("backplane_up"))

    async with Client.connected(running.address) as bob:
        assert 0 == (await bob.emit("presence", {"roomId": "den"}))["count"]


async def test_nothing_is_kept_of_a_client_that_left(gateway):
    running = await gateway()
    chat: ChatGateway = running.app.server.namespace_handlers["/"]
    async with Client.connected(running.address) as client:
        await client.emit("joinRoom", ANN)
        assert {"den": 1} == chat.rooms._largest_here()

    await until(lambda: not running.app.server.manager.rooms)
    assert 0 == len(chat.members)
    assert {} == chat.rooms._largest_here()
