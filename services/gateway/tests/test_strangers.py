"""What a stranger with one connection, or a few, may cost others where the chart's defaults hold: nothing that they notice.

Each row attacks the system of `strangers`. Its bystanders may not be cut, refused or kept waiting, no process may have more
memory than the chart allows it, Redis takes their writes, and the stranger is answered as the row says, counted and named.
`SWITCHED_OFF` (`make attacks`) shows that rows can fail.
"""

import asyncio
import contextlib
import json
import uuid
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import redis.asyncio
from bystanders import LATE_S, LOOK_S
from costly_questions import crowd_presence, full_history
from installed import installed
from live import Client
from odd_requests import REQUESTS, SECRET
from service_process import HOST
from siege import BINARY, PING, TEXT, frame
from strangers import Row, admits_all, attacked
from waiting import PATIENCE_S, time_passes, until

from roomwire_gateway.messages import MAX_TEXT_CHARS

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPELLINGS = ["/socket.io/x", "/socket.io/%2f", "/%73ocket.io/", "/socket.io//", "/SOCKET.IO/", "//socket.io/"]
MIB = 2**20
TOP = Path(__file__).parents[3]
SEEN = "| row | answers to the attacker | counted | bystanders cut | refused | late | unheard | slowest ack ms | gateway MiB |"
FEW_ROUNDS, MANY_ROUNDS = 20, 100
MOST_ROOMS, MOST_GUESSES = 400, 60
REVOKED = 110_000
HANDSHAKES, PIPELINED = 7_000, 50
SEVERAL = 20
FREE_WITHIN_S = 10.0
"""How long the memory of ended clients may take to be free for others on a slow machine: less than any alarm of theirs."""
KEPT = 200
FLOOD_BYTES = 16 * MIB
"""What is sent on each of several connections, where none of it may be kept."""


async def spelled_paths(stranger):
    """Ping without end, and read nothing, on each spelling of the engine's path that is taken."""
    ended = []
    for path in SPELLINGS:
        raw = await stranger.upgrade(path=path)
        if raw.got.startswith(b"HTTP/1.1 101"):
            raw.reader._transport.pause_reading()
            block = frame(PING, bytes(125)) * 500
            ended.append(await stranger.pour(raw, block, times=FLOOD_BYTES // len(block)))
        else:
            ended.append(raw.got[9:12].decode())
    return ended


async def long_headers(stranger):
    """Ask for WebSockets elsewhere with a header line that is longer than any parser's line."""
    return [
        (await stranger.upgrade(to, path=path, more=f"Cookie: {'c' * size}\r\n")).got[9:12].decode()
        for to in stranger.system.services
        for path in ("/", "/nowhere", "/auth/guest")
        for size in (9_000, 12_000, 100_000)
    ]


async def odd_requests(stranger):
    """Send what no browser sends to each port that listens."""
    services = stranger.system.services
    ports = [each for service in services for each in (service.port, service.ops_port)]
    ended = []
    for name, data in REQUESTS.items():
        for port in ports:
            raw = await stranger.open(port)
            status = await raw.first(data)
            assert SECRET not in raw.got, "TRACE is answered"
            is_engine = port in {gateway.port for gateway in stranger.system.gateways}
            ended.append(f"{status}" if is_engine or status != "101" else f"101 for {name}")
            raw.writer.transport.abort()
    return ended


async def operations_port(stranger):
    """Send more headers to the operations ports than anybody needs."""
    head = b"GET /metrics HTTP/1.1\r\nHost: pod\r\n" + b"".join(
        b"X-%d: a\r\n" % number for number in range(2_000)
    )
    return [await stranger.request(head + b"\r\n", to.ops_port) for to in stranger.system.services]


async def colliding_ids(stranger):
    """Say two things whose rooms and ids are the same text when they are put together by a slash."""
    address = stranger.system.gateways[0].address
    new = uuid.uuid4().hex[:8]
    one = {"roomId": f"{new}/r", "userName": "Eve", "message": "first", "messageId": "t"}
    other = {"roomId": new, "userName": "Eve", "message": "second", "messageId": "r/t"}
    async with Client.connected(address, {"token": stranger.token}) as eve:
        for body in (one, other):
            await eve.emit("joinRoom", {"roomId": body["roomId"], "userName": "Eve"})
            await eve.emit("chatMessage", body)
            heard = ""
            while body["message"] not in heard:
                heard = (await eve.event("roomMessage"))[0]
    return ["both heard"]


async def twins(stranger):
    """Recover one session eight times at once, over both gateways."""
    return [await _recovered_by_twins(stranger) for _ in range(FEW_ROUNDS)]


async def twins_in_many_rounds(stranger):
    """Do the same a hundred times."""
    return [await _recovered_by_twins(stranger) for _ in range(MANY_ROUNDS)]


async def _recovered_by_twins(stranger):
    addresses = [gateway.address for gateway in stranger.system.gateways] * 4
    token, room = {"token": stranger.token}, {"roomId": uuid.uuid4().hex[:8], "userName": "Eve"}
    async with contextlib.AsyncExitStack() as stack:

        async def entered(address, auth):
            client = await stack.enter_async_context(Client.open(address))
            return client, await client.connect(auth)

        first, opened = await entered(addresses[0], token | {"recovery": True})
        await first.emit("joinRoom", room)
        await first.close()
        own = token | {"pid": opened["pid"]}
        opened_by = [await stack.enter_async_context(Client.open(address)) for address in addresses]
        await asyncio.gather(*(client.send_frame(f"40{json.dumps(own)}") for client in opened_by))
        # Each is refused, closed, or told that it has the session; of the last, all but one are closed.
        await until(lambda: all(client.has_ended or client.is_connected for client in opened_by))
        twins_ = [client for client in opened_by if any(opened["pid"] in str(one) for one in client.frames)]
        await until(lambda: sum(not client.has_ended for client in twins_) <= 1)
        owners = [client for client in twins_ if not client.has_ended]
        for owner in owners:
            await owner.emit("chatMessage", room | {"message": "mine"})
            await owner.event("roomMessage")
        return f"{len(owners)} owner"


async def rooms_without_end(stranger):
    """Speak at length in one room after the other, as fast as events are taken, and be in none of them."""
    ended = []
    text = {"userName": "Eve", "message": "x" * MAX_TEXT_CHARS}
    async with Client.open(stranger.system.gateways[0].address) as eve:
        await eve.send_frame(f"40{json.dumps({'token': stranger.token})}")
        await until(lambda: eve.is_connected or eve.has_ended)
        if eve.has_ended:
            # A session is new as well.
            return ["unavailable"]
        while len(ended) < MOST_ROOMS:
            answer = await eve.emit("chatMessage", text | {"roomId": uuid.uuid4().hex})
            error = answer["error"] if isinstance(answer, dict) else {"code": "ok", "message": ""}
            if error["code"] == "rate_limited" and "rooms" not in error["message"]:
                # Too fast: events are another bound.
                await time_passes(0.05)
                continue
            ended.append(error["code"])
            if error["code"] != "ok":
                break
    return ended


async def guesses(stranger):
    """Try one password after the other at an account."""
    ended, name = [], f"m-{uuid.uuid4().hex}"
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        while len(ended) < MOST_GUESSES and "429" not in ended:
            login = {"username": name, "password": uuid.uuid4().hex}
            answer = await http.post(f"http://{stranger.system.auth.address}/auth/login", json=login)
            assert (answer.status_code == 429) == ("retry-after" in answer.headers)
            ended.append(str(answer.status_code))
    return ended


async def revocations_without_end(stranger):
    """Bring a revoked token again, once very many others have been revoked since."""
    system = stranger.system
    url, address = f"http://{system.auth.address}/auth", system.gateways[0].address
    tokens = []
    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
        redis.asyncio.Redis(host=HOST, port=system.redis_port, username="auth", password="auth") as store,
    ):
        for _ in range(2):
            granted = (await http.post(f"{url}/guest", json={})).json()
            if tokens:
                # What auth appends for as many guests that sign out.
                for _ in range(REVOKED // 1_000):
                    async with store.pipeline(transaction=False) as pipe:
                        for _ in range(1_000):
                            pipe.xadd("rw:{auth}:revoked", {"session": uuid.uuid4().hex, "for_s": 660})
                        await pipe.execute()
            await http.post(f"{url}/logout", json={"refresh_token": granted["refresh_token"]})
            tokens.append(granted["access_token"])

        async def has_read_the_last():
            return "let in" != await entered(address, tokens[1])

        await until(has_read_the_last)
        # The next attack begins with none.
        await store.delete("rw:{auth}:revoked")
    return [await entered(address, tokens[0])]


async def entered(address, token):
    """Return `let in` if a token is, `closed` if it is revoked just then, else the code of the refusal."""
    async with Client.open(address) as client:
        await client.send_frame("40" + json.dumps({"token": token}))
        try:
            answer = await client.frame(lambda text: text.startswith(("40", "44")))
        except AssertionError:
            return "closed"
    return "let in" if answer.startswith("40") else json.loads(answer[2:])["data"]["code"]


async def handshakes(stranger):
    """Open polling sessions with as long headers and queries as a request may have, all on one TCP connection."""
    raw = await stranger.open()
    target = "GET /socket.io/?EIO=4&transport=polling&{0}{1}"
    head = f"{target} HTTP/1.1\r\nHost: gateway\r\nX-{{0}}: {{0}}{{1}}\r\n\r\n"
    ended = []
    for first in range(0, HANDSHAKES, PIPELINED):
        heads = [head.format(number, "x" * 7_500) for number in range(first, first + PIPELINED)]
        await raw.send("".join(heads).encode())
        for _ in range(PIPELINED):
            answer = await raw.reader.readuntil(b"\r\n\r\n")
            await raw.reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].split()[0]))
            ended.append(answer[9:12].decode())
    return ended


async def large_auth(stranger):
    """Connect with a payload of nearly a megabyte beside the token, of values that take many times that."""
    auth = {"token": stranger.token, "more": [[]] * 290_000}
    connect = frame(TEXT, b"40" + json.dumps(auth, separators=(",", ":")).encode())
    ended = []
    for _ in range(SEVERAL):
        raw = await stranger.upgrade()
        await raw.reader.readuntil(b"}")
        await raw.send(connect)
        answer = await raw.reader.readuntil(b"}")
        ended.append("too_large" if b'"too_large"' in answer else "taken")
    return ended


async def heads_without_attachments(stranger):
    """Send the heads of events, of values that take many times their size, and not the last of their attachments."""
    values = ",".join(["[]"] * 290_000)
    head = frame(TEXT, b'455-["say",{"_placeholder":true,"num":0},%b]' % values.encode())
    event = head + frame(BINARY, bytes(900_000)) * 4

    async def one():
        raw = await stranger.websocket()
        await raw.send(event)
        return await raw.rest()

    sent = [asyncio.create_task(one()) for _ in range(3 * SEVERAL)]
    ended, going_on = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
    for each in going_on:
        each.cancel()
    await asyncio.gather(*going_on, return_exceptions=True)
    return [each.result() for each in ended]


async def unread_answers(stranger):
    """Ask in many polling sessions for what a room has heard, and fetch none of the answers."""
    new = uuid.uuid4().hex[:8]
    address = stranger.system.gateways[0].address
    async with Client.connected(address, {"token": stranger.token}) as eve:
        await eve.emit("joinRoom", {"roomId": new, "userName": "Eve"})
        for number in range(KEPT):
            body = {"roomId": new, "userName": "Eve", "message": "x" * 16_000, "messageId": str(number)}
            await eve.emit("chatMessage", body)
    ask = "420" + json.dumps(["history", {"roomId": new, "limit": KEPT}])
    path = f"http://{address}/socket.io/?EIO=4&transport=polling"

    some = asyncio.Semaphore(2)

    async def one(http):
        mine = f"{path}&sid={json.loads((await http.get(path)).text[1:])['sid']}"
        await http.post(mine, content=f"40{json.dumps({'token': stranger.token})}")
        await http.get(mine)
        async with some:
            return str((await http.post(mine, content=ask)).status_code)

    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        return await asyncio.gather(*(one(http) for _ in range(2 * SEVERAL)))


HELD = {
    "counted": 'roomwire_bounds_exceeded_total{bound="held_bytes"}',
    "logged": "connection closed: held too much",
}

ROWS = {
    "C1": Row(spelled_paths, frozenset({"404", "taken", "held back", "cut"}), grows_bytes=FLOOD_BYTES),
    "C2": Row(
        long_headers,
        frozenset({"404", "405", "431"}),
        counted='roomwire_http_refused_total{reason="header_bytes"}',
        logged="http refused",
        fields={"reason": "header_bytes"},
    ),
    "C3": Row(
        rooms_without_end,
        frozenset({"ok", "rate_limited"}),
        counted='roomwire_bounds_exceeded_total{bound="new_rooms"}',
        logged="client opens too many rooms",
        fields={"kind": "guest"},
    ),
    "C4": Row(
        guesses,
        frozenset({"401", "429"}),
        counted='roomwire_auth_throttled_total{limit="account"}',
        logged="throttled",
        fields={"limit": "account"},
    ),
    "C6": Row(
        large_auth,
        frozenset({"too_large"}),
        counted='roomwire_bounds_exceeded_total{bound="auth_bytes"}',
        logged="connection refused",
        fields={"code": "too_large"},
        grows_bytes=64 * MIB,
    ),
    # What an answer may cost keeps this one far from where holders are closed.
    "C9": Row(unread_answers, frozenset({"200"}), grows_bytes=64 * MIB),
    "C8": Row(
        full_history,
        frozenset({"answered", "rate_limited"}),
        counted='roomwire_bounds_exceeded_total{bound="events_per_s"}',
    ),
    "C10": Row(colliding_ids, frozenset({"both heard"})),
    "C15": Row(twins, frozenset({"1 owner"})),
    "C13": Row(
        operations_port,
        frozenset({"431"}),
        counted='roomwire_ops_http_refused_total{reason="headers"}',
        logged="http refused",
        fields={"reason": "headers"},
    ),
    "variants of C1, C2, C13": Row(
        odd_requests,
        frozenset({"100", "101", "200", "307", "400", "404", "405", "413", "426", "429", "431", "cut"}),
        counted='roomwire_http_refused_total{reason="malformed"}',
        logged="http refused",
        fields={"reason": "malformed"},
    ),
    "C17": Row(crowd_presence, frozenset({"read once"})),
}

FILLING = {
    "C5": Row(handshakes, frozenset({"200", "503"}), **HELD),
    "C7": Row(heads_without_attachments, frozenset({"cut", "503"}), **HELD),
}
"""Attacks that fill a gateway's memory: they take long."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory, starts_servers):
    async with installed(tmp_path_factory.mktemp("system")) as running:
        yield running


@pytest.fixture(scope="module")
def table():
    """Lines that are written into artifacts/attacks.md at the end, so that what was seen can be read."""
    lines = [SEEN, "|---" * (SEEN.count("|") - 1) + "|"]
    yield lines
    (TOP / "artifacts").mkdir(exist_ok=True)
    (TOP / "artifacts" / "attacks.md").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ROWS)
async def test_a_stranger_is_refused_and_bystanders_notice_nothing(name, system, table):
    siege = await attacked(system, ROWS[name])
    table.append(siege.row(name))

    assert [] == siege.complaints, siege


@pytest.mark.attacks
async def test_strangers_who_fill_the_memory_one_after_another_keep_nobody_out_of_it_for_long(
    tmp_path, table
):
    async with installed(tmp_path) as system:
        for name, row in (*FILLING.items(), *FILLING.items()):
            siege = await attacked(system, row)
            table.append(siege.row(name))

            assert [] == siege.complaints, siege
            await until(lambda: admits_all(system), within_s=FREE_WITHIN_S)


async def test_what_bystanders_notice_is_seen(system):
    siege = await attacked(system, Row(stopped, frozenset()))

    assert any("bystanders late" in complaint for complaint in siege.complaints), siege
    assert "answered resumed" in siege.complaints


async def test_memory_beyond_a_limit_is_seen(system):
    small = replace(system, limits=dict.fromkeys(system.limits, MIB))

    siege = await attacked(small, Row(stopped, frozenset({"resumed"})))

    assert any("gateway-2 has" in complaint for complaint in siege.complaints), siege


async def stopped(stranger):
    """Stop a gateway for longer than an ack may take, as no stranger can."""
    gateway, talk = stranger.system.gateways[1], stranger.system.bystanders
    looks = (await talk.so_far())["looks"]

    async def were_kept_waiting():
        return (await talk.so_far())["looks"] > looks + 2 * LATE_S / LOOK_S

    gateway.pause()
    try:
        await until(were_kept_waiting)
    finally:
        gateway.resume()
    return ["resumed"]


@pytest.mark.attacks
async def test_where_a_connection_may_open_any_number_of_rooms_guests_use_up_their_share_and_nobody_elses(
    tmp_path,
):
    row = Row(
        rooms_without_end,
        frozenset({"ok", "unavailable"}),
        counted='roomwire_redis_refused_total{what="room"}',
        logged="redis guard refuses",
        fields={"what": "room"},
    )
    async with installed(tmp_path, max_new_rooms=0, redis_guests_share=0.01) as system:
        siege = await attacked(system, row)

    assert [] == siege.complaints, siege


@pytest.mark.attacks
async def test_a_revoked_token_stays_revoked_however_many_are_revoked_after_it(system, table):
    siege = await attacked(system, Row(revocations_without_end, frozenset({"unauthenticated"})))
    table.append(siege.row("C16"))

    assert [] == siege.complaints, siege


@pytest.mark.attacks
async def test_a_session_that_is_recovered_eight_times_at_once_has_one_owner_a_hundred_times(system, table):
    siege = await attacked(system, Row(twins_in_many_rounds, frozenset({"1 owner"})))
    table.append(siege.row("C15"))

    assert [] == siege.complaints, siege
    assert MANY_ROUNDS <= siege.ended["1 owner"]


SWITCHED_OFF = [
    pytest.param("C3", {"max_new_rooms": 0}, "counted", id="rooms of a connection"),
    pytest.param("C4", {"longest_login_delay_s": 0}, "counted", id="delays of an account"),
    pytest.param("C5", {"memory_limit_bytes": 0}, "counted", id="the guard of the memory, handshakes"),
    pytest.param("C6", {"max_auth_bytes": 1_000_000}, "counted", id="bytes of auth"),
    pytest.param("C7", {"memory_limit_bytes": 0}, "counted", id="the guard of the memory, attachments"),
    pytest.param("C2", {"max_header_bytes": 1_048_576}, "counted", id="bytes of headers"),
]
"""Rows with the settings that switch their bound off, and what is complained of then."""


@pytest.mark.attacks
@pytest.mark.parametrize(("name", "off", "complaint"), SWITCHED_OFF)
async def test_without_its_bound_a_stranger_is_seen_to_succeed(name, off, complaint, tmp_path):
    # An attack that nothing counts would be repeated without end.
    patience_s = 10 * LATE_S if complaint == "counted" else PATIENCE_S
    async with installed(tmp_path, **off) as system:
        siege = await attacked(system, (ROWS | FILLING)[name], patience_s=patience_s)

    assert any(complaint in each for each in siege.complaints), siege
