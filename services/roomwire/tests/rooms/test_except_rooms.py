"""Events that leave out rooms, over two nodes: each client is judged by its rooms at the event's place in the log."""

import pytest
from recovering import Browser, nodes_of


@pytest.fixture(params=["memory", "redis"])
async def nodes(request):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    async with nodes_of(url) as start:
        one, two = await start(), await start()
        for node in {one, two}:
            node.server.on("leave", node.server.leave_room)
        yield one, two


async def member(node, *rooms, **options):
    client = Browser()
    await client.connect(node, **options)
    for room in rooms:
        await client.ask("join", room)
    return client


async def test_members_of_the_named_rooms_do_not_receive_an_event_wherever_they_are(nodes):
    one, two = nodes
    ann, bob = await member(one, "den"), await member(two, "den")
    mute, far = await member(one, "den", "muted"), await member(two, "den", "attic")
    emit = one.server.emit
    await emit("n", 1, to="den", except_rooms="muted")
    await emit("n", 2, except_rooms=["muted", "attic"])
    await emit("n", 3, to=["den", "attic"], except_rooms=["muted"], skip_sid=bob.sid)
    await emit("n", 4, to="den", except_rooms=ann.sid)
    await emit("n", 5, to=mute.sid, except_rooms=["muted"])
    await emit("n", 6, to="den", except_rooms=["nobody is here"])
    await emit("n", 7, to="den", except_rooms=[])
    await emit("end")

    for client, expected in (
        (ann, [1, 2, 3, 6, 7]),
        (bob, [1, 2, 4, 6, 7]),
        (mute, [4, 6, 7]),
        (far, [1, 3, 4, 6, 7]),
    ):
        heard = []
        while (event := await client.event()) != ["end"]:
            heard.append(event[1])
        assert expected == heard


async def test_who_joins_or_leaves_the_room_is_left_out_exactly_while_it_is_a_member(nodes):
    one, two = nodes
    ann = await member(two, "den")
    for number, event in enumerate(("join", "leave", "join", "leave")):
        await one.server.emit("n", f"before {number}", to="den", except_rooms="muted")
        await ann.ask(event, "muted")
        await one.server.emit("n", f"after {number}", to="den", except_rooms="muted")
    await one.server.emit("n", "end")

    # Answers to `ask` hide the events before them, so those that count are looked for behind each.
    heard = []
    while not heard or heard[-1] != "end":
        heard += await ann.events(1)
    assert {"after 0", "before 1", "after 2", "before 3"}.isdisjoint(heard)
    assert ["after 3", "end"] == heard[-2:]


async def test_a_client_that_recovers_is_judged_by_its_rooms_at_the_time_of_each_event(nodes):
    one, two = nodes
    ann, mute = await member(one, "den"), await member(one, "den", "muted")
    await one.server.emit("n", 0, to="den")
    assert [0] == await ann.events(1)
    assert [0] == await mute.events(1)

    ann.cut()
    mute.cut()
    await two.server.emit("n", 1, to="den", except_rooms="muted")
    await two.server.emit("n", 2, to="den")
    await two.server.emit("n", 3, except_rooms=["muted"])
    await ann.connect(two)
    await mute.connect(two)
    assert ann.recovered
    assert mute.recovered
    # A room that it leaves later does not bring back what it was left out of.
    await mute.ask("leave", "muted")
    await one.server.emit("n", 4, to="den", except_rooms="muted")
    assert [1, 2, 3, 4] == await ann.events(4)


async def test_what_was_missed_before_a_client_joined_the_room_is_recovered_and_what_came_after_is_not(nodes):
    one, two = nodes
    ann = await member(one, "den")
    await one.server.emit("n", 0, to="den")
    assert [0] == await ann.events(1)
    ann.cut()
    await one.server.emit("n", 1, to="den", except_rooms="muted")
    await ann.connect(two)
    assert ann.recovered
    assert [1] == await ann.events(1)

    await ann.ask("join", "muted")
    ann.cut()
    await one.server.emit("n", 2, to="den", except_rooms="muted")
    await one.server.emit("n", 3, to="den")
    await ann.connect(one)
    assert ann.recovered
    assert [3] == await ann.events(1)


async def test_past_the_log_rooms_are_left_out_as_well(nodes):
    one, _ = nodes
    ann, mute = await member(one, "den"), await member(one, "den", "muted")
    await one.server.emit("n", 1, to="den", except_rooms="muted", ignore_queue=True)
    await one.server.emit("n", 2, to="den", ignore_queue=True)

    assert [1, 2] == await ann.events(2)
    assert [2] == await mute.events(1)
