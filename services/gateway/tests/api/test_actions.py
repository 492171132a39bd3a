"""Each action, on two gateways that share a Redis."""

from backends import ROOM, token
from waiting import until

EVERYTHING = {"*": ["join", "publish", "history", "presence"]}
RECOVERY = {"recovery": True}


async def heard(system, client):
    """Return what was published and a client has heard by the time it hears a mark."""
    await system.post("/publish", {"messages": [{"everyone": True, "event": "mark"}]})
    await client.event("mark")
    own = {"welcome", "roomMessage", "presence", "mark"}
    return [event for event in client.events if event[0] not in own]


async def said_in(system, client):
    """Return what clients have said in the rooms of a client by the time it hears a mark."""
    await heard(system, client)
    return [event for event in client.events if event[0] == "roomMessage"]


async def until_said(ask, holds):
    """Ask until the answer is as it should be."""

    async def is_so():
        return holds(await ask())

    await until(is_so)


# -- publish


async def test_events_for_a_room_reach_its_members_on_all_gateways_in_their_order(system):
    ann, bob = await system.person(0), await system.person(1, name="Bob", structured=True)
    eve = await system.person(1, room="acme:attic", name="Eve")
    messages = [{"room": ROOM, "event": "price", "args": [number, {"of": ["tea"]}]} for number in range(50)]
    answer = await system.post("/publish", {"messages": [*messages, {"room": ROOM, "event": "end"}]})

    assert {"published": 51} == answer
    expected = [*(["price", number, {"of": ["tea"]}] for number in range(50)), ["end"]]
    assert expected == await heard(system, ann)
    assert expected == await heard(system, bob)
    assert [] == await heard(system, eve)


async def test_one_client_hears_what_is_said_to_it_in_different_ways_in_the_order_of_the_batch(system):
    ann = await system.person(1, bearer=token(EVERYTHING), structured=True)
    ways = [{"room": ROOM}, {"user": "account:1"}, {"everyone": True}, {"user": "account:1"}, {"room": ROOM}]
    messages = [{**way, "event": "step", "args": [number]} for number, way in enumerate(ways * 20)]
    await system.post("/publish", {"messages": messages})

    assert [["step", number] for number in range(100)] == await heard(system, ann)


async def test_events_for_a_user_reach_all_its_sockets_and_nobody_else(system):
    mine = token(EVERYTHING, id_="account:1")
    here, there = [await system.person(of, room=None, bearer=mine) for of in (0, 1)]
    other = await system.person(1, room=None, bearer=token(EVERYTHING, id_="account:2"))
    anonymous = await system.person(1, room="user:account:1")
    await system.post("/publish", {"messages": [{"user": "account:1", "event": "bill", "args": [7]}]})

    for client in (here, there):
        assert [["bill", 7]] == await heard(system, client)
    for client in (other, anonymous):
        assert [] == await heard(system, client)


async def test_members_of_an_excepted_room_do_not_receive_an_event_whichever_audience_they_are(system):
    ann, bob = await system.person(0), await system.person(1, name="Bob", structured=True)
    others = [
        await system.person(of, room="acme:attic", name="Eve", structured=structured)
        for of, structured in ((0, False), (1, True))
    ]
    messages = [{"everyone": True, "event": "news", "args": ["x"], "except_rooms": ["acme:attic"]}]
    await system.post("/publish", {"messages": messages})

    for client in (ann, bob):
        assert [["news", "x"]] == await heard(system, client)
    for client in others:
        assert [] == await heard(system, client)


async def test_events_for_everybody_reach_everybody(system):
    clients = [await system.person(of, room=None) for of in (0, 1)]
    await system.post("/publish", {"messages": [{"everyone": True, "event": "news", "args": ["x"]}]}, of=1)

    for client in clients:
        assert [["news", "x"]] == await heard(system, client)


async def test_who_is_away_hears_what_was_said_to_its_room_and_to_its_user_when_it_is_back(system):
    mine = token(EVERYTHING)
    ann = await system.person(0, bearer=mine, **RECOVERY)
    await ann.close()
    messages = [{"room": ROOM, "event": "one"}, {"user": "account:1", "event": "two"}]
    await system.post("/publish", {"messages": messages}, of=1)

    back = await system.person(1, room=None, bearer=mine, pid=ann.pid, **RECOVERY)
    assert back.sid == ann.sid
    assert {"one", "two"} == {event[0] for event in await heard(system, back)}


async def test_if_one_message_is_not_allowed_none_is_said(system):
    ann = await system.person(0)
    messages = [{"room": ROOM, "event": "a"}, {"everyone": True, "event": "b"}]
    response = await system.call("POST", "/publish", json={"messages": messages}, bearer="s" * 40)

    assert (403, "forbidden") == (response.status_code, response.json()["error"]["code"])
    assert [] == await heard(system, ann)


# -- rooms, presence, history


async def test_rooms_are_told_with_their_members_on_all_gateways_the_largest_first(system):
    await system.person(0, room="acme:attic")
    for of, structured in ((0, False), (1, False), (1, True)):
        await system.person(of, structured=structured)

    expected = [{"room": ROOM, "members": 3}, {"room": "acme:attic", "members": 1}]
    for of in (0, 1):
        assert {"rooms": expected} == await system.get("/rooms", of=of)
    assert {"rooms": expected[:1]} == await system.get("/rooms", limit=1)


async def test_presence_tells_who_is_connected_and_who_is_away(system):
    ann = await system.person(0, bearer=token(EVERYTHING), **RECOVERY)
    bob = await system.person(1, name="Bob")
    await ann.close()

    async def presence():
        found = await system.get("/presence", of=1, room=ROOM)
        return {member["id"]: member for member in found["members"]}

    await until_said(presence, lambda members: not members[ann.sid]["connected"])
    members = await presence()
    assert {
        ann.sid: {
            "id": ann.sid,
            "name": "Ann",
            "user": "account:1",
            "kind": "account",
            "gateway": "n1",
            "connected": False,
        },
        bob.sid: {
            "id": bob.sid,
            "name": "Bob",
            "user": "",
            "kind": "anonymous",
            "gateway": "n2",
            "connected": True,
        },
    } == members
    found = await system.get("/presence", room=ROOM, limit=1)
    assert (2, 1, []) == (found["total"], len(found["members"]), found["missing"])


async def test_history_says_who_sent_a_message_as_the_token_said(system):
    known = await system.person(0, bearer=token(EVERYTHING))
    unknown = await system.person(1)
    for client in (known, unknown):
        await client.emit("chatMessage", {"roomId": ROOM, "userName": "Ann", "message": "hi"})

    found = await system.get("/history", room=ROOM)

    assert [("Ann", {"id": "account:1", "kind": "account"}), ("Ann", None)] == [
        (message["user"], message["sender"]) for message in found["messages"]
    ]


async def test_history_is_read_from_a_position_on(system):
    ann = await system.person(0)
    for number in range(5):
        await ann.emit("chatMessage", {"roomId": ROOM, "userName": "Ann", "message": str(number)})

    newest = await system.get("/history", of=1, room=ROOM, limit=3)
    assert ["2", "3", "4"] == [message["text"] for message in newest["messages"]]
    whole = await system.get("/history", room=ROOM)
    assert {"Ann"} == {message["user"] for message in whole["messages"]}
    first = whole["messages"][0]["position"]
    rest = await system.get("/history", of=1, room=ROOM, after=first, limit=3)
    assert (["1", "2", "3"], True, True) == (
        [message["text"] for message in rest["messages"]],
        rest["joined"],
        rest["more"],
    )
    last = await system.get("/history", room=ROOM, after=rest["messages"][-1]["position"], limit=3)
    assert (["4"], True, False) == (
        [message["text"] for message in last["messages"]],
        last["joined"],
        last["more"],
    )
    unknown = await system.get("/history", room=ROOM, after="1-0")
    assert (5, False, False) == (len(unknown["messages"]), unknown["joined"], unknown["more"])


# -- disconnect, move, mute


async def test_a_published_message_is_in_the_history_of_the_chat_among_those_of_clients(system):
    ann = await system.person(0, structured=True)
    said = {"id": "b-1", "user": "Shop", "text": "open", "at": "2026-01-01T08:00:00Z", "kind": "message"}
    event = {"room": ROOM, "event": "roomMessage", "id": "b-1", "args": ["[Shop] open", said]}
    for _ in range(2):
        await system.post("/publish", {"messages": [{**event, "keeps_history": True}]})
    await ann.emit("chatMessage", {"roomId": ROOM, "userName": "Ann", "message": "hi"})
    short = {**event, "id": "b-2", "args": ["closed"], "keeps_history": {"entry": {**said, "text": "closed"}}}
    await system.post("/publish", {"messages": [short]}, of=1)

    found = await system.get("/history", room=ROOM)
    assert ["open", "hi", "closed"] == [one["text"] for one in found["messages"]]
    own = await ann.emit("history", {"roomId": ROOM})
    assert [("Shop", "open"), ("Ann", "hi"), ("Shop", "closed")] == [
        (one["user"], one["text"]) for one in own["messages"]
    ]
    assert [ROOM] * 3 == [one["room"] for one in own["messages"]]


async def test_what_is_no_message_of_the_chat_is_not_taken_into_its_history(system):
    event = {"room": ROOM, "event": "price", "args": ["tea", 3.5], "keeps_history": True}
    response = await system.call("POST", "/publish", json={"messages": [event]})

    assert (404, "not_found") == (response.status_code, response.json()["error"]["code"])
    assert [] == (await system.get("/history", room=ROOM))["messages"]


async def test_a_user_is_disconnected_everywhere_and_its_sessions_end(system):
    mine = token(EVERYTHING)
    here, there = [await system.person(of, room=None, bearer=mine) for of in (0, 1)]
    away = await system.person(0, room=None, bearer=mine, **RECOVERY)
    other = await system.person(0, room=None)
    await away.close()
    await until(lambda: system.gateways[0].app.server.manager.member(away.sid, "/") is None)
    answer = await system.post("/disconnect", {"user": "account:1"}, of=1)

    assert {"disconnected": 3, "failed": 0, "missing": []} == answer
    for client in (here, there):
        await client.frame(lambda text: text == "41")
    back = await system.person(1, room=None, bearer=mine, pid=away.pid, **RECOVERY)
    assert back.sid != away.sid
    assert [] == await heard(system, other)
    assert 0 == (await system.post("/disconnect", {"user": "nobody"}))["disconnected"]


async def test_a_muted_user_reads_the_chat_and_says_nothing_in_it(system):
    ann = await system.person(1, bearer=token(EVERYTHING))
    bob = await system.person(0, name="Bob")
    body = {"roomId": ROOM, "userName": "Ann"}
    assert {"missing": []} == await system.post("/mute", {"user": "account:1", "for_s": 3_600})
    assert "forbidden" == (await ann.emit("chatMessage", {**body, "message": "hi"}))["error"]["code"]
    assert "forbidden" == (await ann.emit("typing", body))["error"]["code"]
    assert [] == (await ann.emit("history", {"roomId": ROOM}))["messages"]
    assert "Joined room acme:hall" == await ann.emit("joinRoom", {**body, "roomId": "acme:hall"})
    assert "Left room acme:hall" == await ann.emit("leaveRoom", {**body, "roomId": "acme:hall"})

    await system.post("/mute", {"user": "account:1", "for_s": 0}, of=1)
    assert "Message sent to room" == await ann.emit("chatMessage", {**body, "message": "hi"})
    assert ["[Ann in acme:den] hi"] == [
        event[1] for event in await said_in(system, bob) if event[1].startswith("[")
    ]


async def test_members_are_moved_on_all_gateways_with_their_names(system):
    mine = token(EVERYTHING)
    ann, bob = await system.person(0, bearer=mine), await system.person(1, name="Bob", structured=True)
    moved = await system.post("/move", {"room": ROOM, "to": "acme:hall"})
    assert {"moved": 2, "refused": 0, "failed": 0, "missing": []} == moved

    for of in (0, 1):
        assert [{"room": "acme:hall", "members": 2}] == (await system.get("/rooms", of=of))["rooms"]
    hall = await system.get("/presence", room="acme:hall")
    assert {ann.sid: "Ann", bob.sid: "Bob"} == {one["id"]: one["name"] for one in hall["members"]}
    assert 0 == (await system.get("/presence", room=ROOM))["total"]
    await bob.emit("chatMessage", {"roomId": "acme:hall", "userName": "Bob", "message": "hi"})
    await until(lambda: [event for event in ann.events if event[1] == "[Bob in acme:hall] hi"])

    back = await system.post("/move", {"room": "acme:hall", "to": ROOM, "user": "account:1"}, of=1)
    assert 1 == back["moved"]
    assert [ann.sid] == [one["id"] for one in (await system.get("/presence", room=ROOM))["members"]]
    same = await system.post("/move", {"room": ROOM, "to": ROOM})
    assert 0 == same["moved"]


async def test_who_may_not_join_by_its_own_token_is_not_moved(system):
    ann = await system.person(0, bearer=token({"acme:den": ["join"]}))
    moved = await system.post("/move", {"room": ROOM, "to": "acme:hall"}, of=1)

    assert (0, 1) == (moved["moved"], moved["refused"])
    assert [ann.sid] == [one["id"] for one in (await system.get("/presence", room=ROOM))["members"]]
