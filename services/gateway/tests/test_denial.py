"""What a stranger cannot make of a gateway: each attack on a process of its own, measured from outside.

Under each of them its memory and descriptors stay within a bound, the attacker is refused or cut within the time that
the settings say, and a well-behaved client is answered all the while. Times are many times those of the settings: they
tell what ends from what does not, not how fast. `SWITCHED_OFF` shows that the rows can fail.
"""

import asyncio
import gzip
import json

import pytest
from siege import BINARY, CONTINUATION, PING, TEXT, besiege, event, frame
from waiting import until

pytestmark = pytest.mark.attacks
SHORT_S = 0.5
PATIENCE_S = 40.0
FLOOD = 40_000
SETTINGS = {
    "redis_url": "memory://",
    "auth_mode": "off",
    "page": "false",
    "close_timeout_s": SHORT_S,
    "linger_s": SHORT_S,
    "max_body_bytes": 100_000,
    "max_unread_bytes": 1_000_000,
    "max_attachments_bytes": 100_000,
}
GOODBYE = frame(TEXT, b"1")
HEAD = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: gateway\r\n"
MEGABYTE = 1_000_000


def post(sid, *, size, more=b""):
    return (
        b"POST /socket.io/?EIO=4&transport=polling&sid=%b HTTP/1.1\r\nHost: gateway\r\n"
        b"Content-Length: %d\r\nContent-Type: text/plain\r\n%b\r\n" % (sid, size, more)
    )


async def polling(siege):
    """Open a polling session on a connection that is kept."""
    raw = await siege.open()
    await raw.send(HEAD + b"\r\n")
    answer = await raw.reader.readuntil(b"}")
    return raw, answer.partition(b'"sid":"')[2].partition(b'"')[0]


async def slow_headers(siege):
    return await siege.each(lambda: _dribble(siege, HEAD + b"X-More: " + b"a" * 10_000))


async def _dribble(siege, data):
    return await (await siege.open()).dribble(data)


async def slow_bodies(siege):
    async def one():
        raw, sid = await polling(siege)
        await raw.send(post(sid, size=10_000))
        return await raw.dribble(b"4" * 10_000)

    return await siege.each(one)


async def half_open(siege):
    async def one():
        return await (await siege.open()).rest()

    return await siege.each(one)


async def half_closed(siege):
    """Say half a request and that nothing follows, and stay."""

    async def one():
        raw = await siege.open()
        await raw.send(HEAD)
        raw.writer.write_eof()
        return await raw.rest()

    return await siege.each(one)


async def no_connect(siege):
    async def one():
        return await (await siege.websocket(connect=False)).rest()

    return await siege.each(one)


async def many_namespaces(siege):
    async def one():
        raw = await siege.websocket()
        await raw.send(b"".join(frame(TEXT, b"40/namespace-%d," % number) for number in range(100)))
        answers = await raw.reader.readuntil(b"44/namespace-99,")
        return f"{answers.count(b'Invalid namespace')} answered at once"

    return await siege.each(one)


async def joins(siege):
    """Enter 40,000 rooms over ten connections that read what they are told."""

    async def one(who):
        raw = await siege.websocket()
        reading = asyncio.create_task(raw.rest())
        for first in range(0, FLOOD // 10, 100):
            rooms = range(first, first + 100)
            if not await raw.send(
                b"".join(
                    event("joinRoom", {"roomId": f"{who}-{room}", "userName": "Eve"}, ack=room)
                    for room in rooms
                )
            ):
                break
        await raw.send(frame(TEXT, b"42999999" + json.dumps(["presence", {"roomId": "x"}]).encode()))
        await until(lambda: b"999999[" in raw.got or reading.done())
        cut_off = reading.done()
        raw.writer.close()
        await reading
        return "cut off" if cut_off and b"rate_limited" in raw.got else "taken"

    return await asyncio.gather(*(one(who) for who in range(10)))


async def deep_json(siege):
    depth = 40_000
    packets = [
        b'42["message",' + b"[" * depth + b"]" * depth + b"]",
        b'42["message",' + b"[" * depth,
        b'421["message",' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"]",
        b"40" + b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ]

    async def one(number):
        raw = await siege.websocket(connect=number % 4 != 3)
        await raw.send(frame(TEXT, packets[number % 4]))
        # Whoever is answered instead of cut is well: it leaves by itself.
        await raw.send(GOODBYE)
        return await raw.rest()

    return await asyncio.gather(*(one(number) for number in range(siege.connections)))


async def huge_names(siege):
    name = b"n" * 90_000
    frames = [
        frame(TEXT, b'42["%b"]' % name),
        frame(TEXT, b"40/%b," % name),
        event("joinRoom", {"roomId": name.decode(), "userName": "Eve"}, ack=1),
        event("chatMessage", {"roomId": "den", "userName": name.decode(), "message": "x"}, ack=1),
        frame(TEXT, b"42" + b"9" * 90_000 + b'["presence",{"roomId":"x"}]'),
        frame(TEXT, b"45" + b"9" * 90_000 + b'-["presence"]'),
    ]

    async def one(number):
        raw = await siege.websocket()
        for _ in range(20):
            if not await raw.send(frames[number % len(frames)]):
                break
        await raw.send(GOODBYE)
        return await raw.rest()

    return await asyncio.gather(*(one(number) for number in range(siege.connections)))


async def acks_of_nothing(siege):
    """Answer 40,000 events that were never sent."""
    raw = await siege.websocket()
    for first in range(0, FLOOD, 1_000):
        await raw.send(b"".join(frame(TEXT, b"43%d[1]" % number) for number in range(first, first + 1_000)))
    await raw.send(GOODBYE)
    return [await raw.rest()]


async def asks_unread(siege):
    """Ask without end and read nothing."""

    async def one():
        raw = await siege.websocket()
        block = b"".join(event("presence", {"roomId": "den"}, ack=number) for number in range(1_000))
        while await raw.send(block):
            pass
        return "cut"

    return await asyncio.gather(*(one() for _ in range(4)))


async def pings_unread(siege):
    """Ping without end and read nothing."""

    async def one():
        raw = await siege.websocket()
        raw.reader._transport.pause_reading()
        block = frame(PING, bytes(125)) * 500
        while await raw.send(block):
            pass
        return "cut"

    return await asyncio.gather(*(one() for _ in range(4)))


async def pings_read(siege):
    """Send 40,000 pings of each kind, and read the answers."""
    raw = await siege.websocket()
    reading = asyncio.create_task(raw.rest())
    for _ in range(FLOOD // 1_000):
        await raw.send(frame(PING, b"x") * 1_000)
    # Engine.IO's own: only the server pings.
    await raw.send(frame(TEXT, b"2") * FLOOD)
    return [await reading]


async def fragments(siege):
    async def one():
        raw = await siege.websocket()
        await raw.send(frame(TEXT, b"4", final=False))
        await raw.send(frame(CONTINUATION, b"", final=False) * 5_000)
        await raw.send(frame(CONTINUATION, b'2["presence",{"roomId":"x"}]'))
        # Who was not cut says goodbye.
        await raw.send(GOODBYE)
        return await raw.rest()

    return await siege.each(one)


async def large_messages(siege):
    """Send most of a message of four megabytes each, in pieces that say no size."""

    async def one():
        raw = await siege.websocket()
        await raw.send(frame(BINARY, b"", final=False))
        for _ in range(40):
            if not await raw.send(frame(CONTINUATION, bytes(100_000), final=False)):
                break
        return await raw.rest()

    return await siege.each(one)


async def deflate(siege):
    """Offer compression, and send a compressed frame though it was not taken up."""

    async def one():
        raw = await siege.websocket(
            more="Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        )
        assert "sec-websocket-extensions" not in raw.head
        await raw.send(frame(TEXT, gzip.compress(b"a" * MEGABYTE), reserved=0x40))
        return await raw.rest()

    return await siege.each(one)


async def packed_bodies(siege):
    """Send bodies of a few kilobytes that would unpack to many megabytes."""
    packed = gzip.compress(b"4" * 40 * MEGABYTE)
    assert len(packed) < SETTINGS["max_body_bytes"]

    async def one():
        raw, sid = await polling(siege)
        await raw.send(
            post(sid, size=len(packed), more=b"Content-Encoding: gzip\r\nConnection: close\r\n") + packed
        )
        return await raw.rest()

    return await asyncio.gather(*(one() for _ in range(8)))


async def large_bodies(siege):
    """Send most of four megabytes, and stay."""

    async def one():
        raw, sid = await polling(siege)
        await raw.send(post(sid, size=4 * MEGABYTE + 1) + b"4" * 4 * MEGABYTE)
        return await raw.rest()

    return await siege.each(one)


async def many_headers(siege):
    async def one():
        raw = await siege.open()
        await raw.send(
            HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(400)) + b"Connection: close\r\n\r\n"
        )
        return await raw.rest()

    return await siege.each(one)


async def large_headers(siege):
    """Send a header of a megabyte, and stay before its end."""

    async def one():
        raw = await siege.open()
        await raw.send(HEAD + b"X-More: " + b"a" * MEGABYTE)
        return await raw.rest()

    return await siege.each(one)


# How each ends: the status of an answer, the code of a close, `cut`, or what its events were answered.
ATTACKS = {
    slow_headers: {"408"},
    slow_bodies: {"408"},
    half_open: {"cut"},
    half_closed: {"cut"},
    no_connect: {"closed 1000"},
    # Others wait, and beyond many of those nothing is looked at any more.
    many_namespaces: {"3 answered at once"},
    joins: {"cut off"},
    deep_json: {"closed 1000"},
    huge_names: {"closed 1000"},
    acks_of_nothing: {"closed 1000"},
    asks_unread: {"cut"},
    pings_unread: {"cut"},
    pings_read: {"closed 1000"},
    fragments: {"closed 1009"},
    large_messages: {"closed 1009"},
    deflate: {"closed 1002"},
    packed_bodies: {"400"},
    # Who still sends when its time is over may miss the answer.
    large_bodies: {"413", "cut"},
    many_headers: {"431"},
    # Of what is sent behind the refusal, not all is waited for.
    large_headers: {"431", "cut"},
}
# Times that are short for everybody would be too short for a well-behaved client on a slow machine.
OWN_SETTINGS = {
    slow_headers: {"header_timeout_s": SHORT_S},
    slow_bodies: {"body_timeout_s": SHORT_S},
    large_bodies: {"body_timeout_s": SHORT_S},
    half_open: {"header_timeout_s": SHORT_S},
    no_connect: {"connect_timeout_s": SHORT_S},
    # Who reads nothing is read no further, and its pings are missed.
    pings_unread: {"ping_interval_s": SHORT_S, "ping_timeout_s": SHORT_S},
    # Else it would be refused too often before its answers are too many.
    asks_unread: {"max_refused_events": 100_000, "unread_timeout_s": SHORT_S},
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_an_attack_ends_in_its_time_and_costs_no_more_than_its_bound(attack, tmp_path):
    settings = SETTINGS | OWN_SETTINGS.get(attack, {})
    siege = await besiege(attack, tmp_path / "log", patience_s=PATIENCE_S, **settings)

    assert [] == siege.complaints, siege
    assert set() < {*siege.ended} <= ATTACKS[attack]


LONG_S = 60
SWITCHED_OFF = [
    pytest.param(slow_headers, {"header_timeout_s": LONG_S}, "time", id="time of headers"),
    pytest.param(half_open, {"header_timeout_s": LONG_S}, "time", id="time of a first header"),
    pytest.param(slow_bodies, {"body_timeout_s": LONG_S}, "time", id="time of bodies"),
    pytest.param(no_connect, {"connect_timeout_s": LONG_S}, "time", id="time to connect"),
    pytest.param(many_namespaces, {"max_refused_connects": 1_000}, None, id="refusals"),
    pytest.param(
        asks_unread, {"max_unread_bytes": 10**9, "max_refused_events": 10**9}, "time", id="unread bytes"
    ),
    pytest.param(large_messages, {"max_body_bytes": 10**7}, "memory", id="bytes of a message"),
    pytest.param(
        large_bodies, {"max_body_bytes": 10**7, "body_timeout_s": LONG_S}, "memory", id="bytes of a body"
    ),
    pytest.param(
        large_headers,
        {"max_header_bytes": 1_048_576, "header_timeout_s": LONG_S},
        "memory",
        id="bytes of headers",
    ),
    pytest.param(many_headers, {"max_headers": 1_000}, None, id="number of headers"),
    pytest.param(fragments, {"max_fragments": 100_000}, None, id="fragments"),
    pytest.param(joins, {"max_events_per_s": 0}, None, id="events a second"),
    pytest.param(joins, {"max_refused_events": 1_000_000}, None, id="refused events"),
]


@pytest.mark.parametrize(("attack", "off", "complaint"), SWITCHED_OFF)
async def test_without_its_bound_an_attack_is_seen_to_succeed(attack, off, complaint, tmp_path):
    patience_s = 3.0 if complaint == "time" else PATIENCE_S
    siege = await besiege(
        attack, tmp_path / "log", patience_s=patience_s, **SETTINGS | OWN_SETTINGS.get(attack, {}) | off
    )

    if complaint:
        # What is not ended in time may have grown too large before.
        assert {complaint, "memory"} & {*siege.complaints}, siege
    else:
        assert set() == {*siege.ended} & ATTACKS[attack], siege
