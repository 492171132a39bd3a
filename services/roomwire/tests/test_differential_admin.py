"""`instrument()`: what python-socketio's admin UI is told, by stock and by ours.

Left out of what is compared: times, and what the admin UI is told of the harness's markers.
"""

import functools
import json
import re

import pytest
from differential.harness import MARKER, SERVERS, Program, make, transcript
from engineio.async_socket import AsyncSocket

pytestmark = pytest.mark.usefixtures("log_lines")

AUTH = {"username": "admin", "password": "secret"}
LOGIN = f"40/admin,{json.dumps(AUTH)}"
NEVER_S = 3_600
STOCK = {
    name: vars(AsyncSocket)[name] for name in ("handle_post_request", "_websocket_handler", "_send_ping")
}
"""What `instrument` replaces in a class that all servers share."""

RANDOM = (
    (re.compile(r'"\d{4}-\d\d-\d\dT[^"]*"'), '"<time>"'),
    (re.compile(r'"issued":[\d.]+'), '"issued":"<time>"'),
    (re.compile(r'"host":"[^"]*"'), '"host":"<host>"'),
    (re.compile(r'"sec_websocket_key":"[^"]*"'), '"sec_websocket_key":"<key>"'),
    (re.compile(r'"(node\.)?[\w-]{16}A[\w-]{3}"'), '"<refused>"'),
)


@pytest.fixture
def instrumented(monkeypatch):
    """A factory: makes an admin of a server; stock's changes to its engine's classes end with the next, or here."""
    tasks = []

    def instrument(server, **options):
        for name, function in STOCK.items():
            monkeypatch.setattr(AsyncSocket, name, function)
        options = {"auth": AUTH, "server_id": "s1", "server_stats_interval": NEVER_S} | options
        admin = server.instrument(**options)
        tasks.append(lambda: admin.stats_task)
        return admin

    yield instrument
    for task in tasks:
        if task() is not None:
            task().cancel()


async def told(write, kind, **options):
    """Return what two clients are told while a program runs."""
    tested = Program(write=write, options=options, connects=())
    return [
        [
            functools.reduce(lambda text, random: random[0].sub(random[1], text), RANDOM, packet)
            for packet in got
            if MARKER not in packet or "server_stats" in packet
        ]
        for got in await transcript(kind, tested)
    ]


def in_use(instrumented, **options):
    """Return a program: an application that is watched, by an admin who also acts."""

    def write(server):
        instrumented(server, **options)
        server.on("connect", lambda *_: None)

        @server.event
        async def join(sid, room):
            await server.enter_room(sid, room)

        @server.event
        async def leave(sid, room):
            await server.leave_room(sid, room)

        @server.event
        async def say(sid, *args):
            await server.emit("said", args, room="den", skip_sid=None)
            return "ok"

        async def script(admin, client):
            await admin.send(LOGIN)
            await admin.until('42/admin,["config"')
            if options.get("mode") != "production":
                await admin.until('42/admin,["all_sockets"')
            await client.send("40", '42["join","den"]', '421["say",1,{"a":[]}]', '42["leave","den"]')
            sid = json.dumps(client.sid())
            for command in (
                f'["join","/","club",{sid}]',
                '["emit","/","club","hello","from the admin",1]',
                f'["leave","/","club",{sid}]',
                '["emit","/","club","nobody hears it"]',
                f'["_disconnect","/",false,{sid}]',
            ):
                await admin.send(f"42/admin,{command}")
            await client.send("41", "40", "41")

        return script

    return write


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("mode", ["development", "production"])
async def test_an_admin_is_told_the_same_and_can_do_the_same(mode, read_only, instrumented):
    write = in_use(instrumented, mode=mode, read_only=read_only)
    # The reply to CONNECT comes first on ours; with `always_connect` on stock as well.
    stock, fast, asgi = [await told(write, kind, always_connect=True) for kind in SERVERS]
    assert stock == asgi
    assert stock == fast
    config = next(packet for packet in stock[0] if '["config"' in packet)
    assert ("ALL_EVENTS" in config) is (mode == "development")
    assert ("JOIN" in config) is not read_only


@pytest.mark.parametrize(
    ("auth", "logins"),
    [
        (False, [None, AUTH]),
        ([AUTH, {"token": 1}], [{"token": 1}, {"token": 2}]),
        (lambda auth: auth == {"token": 1}, [{"token": 1}, {"token": 2}]),
    ],
    ids=["none", "several", "a function"],
)
async def test_who_is_an_admin_is_decided_alike(auth, logins, instrumented):
    def write(server):
        instrumented(server, auth=auth, namespace="/watch", mode="production")

        async def script(admin, client):
            for login in logins:
                await admin.send("40/watch," + ("" if login is None else json.dumps(login)))
                await admin.send("41/watch,")

        return script

    stock, fast, asgi = [await told(write, kind) for kind in SERVERS]
    assert stock == fast
    assert stock == asgi


@pytest.mark.parametrize("kind", SERVERS)
def test_an_admin_needs_to_be_told_apart(kind):
    with pytest.raises(ValueError, match="auth must be specified"):
        make(kind).instrument()


async def test_statistics_are_sent_alike_but_for_bytes_and_packets(instrumented):
    """A difference that is meant: "the admin UI is not told of bytes and packets"."""
    stock, fast, asgi = [await statistics(kind, instrumented) for kind in SERVERS]
    assert {"rawConnection", "packetsIn", "packetsOut", "bytesIn", "bytesOut"} == {
        event["type"] for event in stock.pop("aggregatedEvents")
    }
    for ours in (fast, asgi):
        assert {"rawConnection"} == {event["type"] for event in ours.pop("aggregatedEvents")}
        assert stock == ours


async def statistics(kind, instrumented):
    """Return the first statistics that an admin gets, less times."""

    def write(server):
        instrumented(server, server_stats_interval=0.05)

        async def script(admin, client):
            await admin.send(LOGIN)
            await admin.until('42/admin,["server_stats"')

        return script

    (admin, _) = await told(write, kind)
    packet = next(packet for packet in admin if packet.startswith('42/admin,["server_stats"'))
    body = json.loads(packet.partition(",")[2])[1]
    del body["uptime"]
    body["namespaces"] = [each["name"] for each in body["namespaces"]]
    return body
