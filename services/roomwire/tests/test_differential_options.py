"""Each option of `socketio.AsyncServer`, on python-socketio's server and on ours: requests get the same answers.

Options whose effect differs, or that ours refuses, are shown in test_differences.
"""

import json
import logging

import engineio
import pytest
import socketio
from differential import connections, events, namespaces, rooms  # noqa: F401 - the programs are theirs
from differential.harness import PROGRAMS, SERVERS, Program, make, peer_of, transcript, unescaped
from differential.surface import options as options_of
from peers import take
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wire.cases import Cases

from roomwire import Server

pytestmark = pytest.mark.usefixtures("log_lines")

option = Cases(sorted(options_of()))

OURS = [kind for kind in SERVERS if kind != "stock"]
PAGE = "http://page.example"
CORS = (
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
)


async def everywhere(act, **options):
    """Return what an act on a peer brings on stock; ours must bring the same."""
    outcomes = []
    for kind in SERVERS:
        server = make(kind, **options)
        server.on("connect", lambda *_: None)
        async with peer_of(kind, server) as peer:
            outcomes.append(await act(peer))
    stock, *ours = outcomes
    assert [stock] * len(ours) == ours
    return stock


async def handshakes(peer):
    """Return what a session begins with, over polling and over WebSocket."""
    polling = await peer.open()
    async with peer.websocket() as socket:
        websocket = json.loads((await socket.recv())[1:])
    return {**polling, "sid": "*"}, {**websocket, "sid": "*"}


@option("ping_interval", "ping_timeout", "max_http_buffer_size", "allow_upgrades")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            {
                "pingInterval": 25_000,
                "pingTimeout": 20_000,
                "maxPayload": 1_000_000,
                "upgrades": ["websocket"],
            },
        ),
        ({"ping_interval": 10}, {"pingInterval": 10_000}),
        ({"ping_interval": (10, 5)}, {"pingInterval": 15_000}),
        ({"ping_timeout": 5}, {"pingTimeout": 5_000}),
        ({"ping_timeout": 0.25}, {"pingTimeout": 250}),
        ({"max_http_buffer_size": 1_234}, {"maxPayload": 1_234}),
        ({"allow_upgrades": False}, {"upgrades": []}),
    ],
    ids=str,
)
async def test_a_handshake_announces(options, expected):
    polling, _ = await everywhere(handshakes, **options)
    assert expected.items() <= polling.items()


@option("ping_interval")
async def test_pings_come_after_the_interval_without_its_grace():
    async def act(peer):
        async with peer.websocket() as socket:
            await socket.recv()
            return await socket.recv()

    assert "2" == await everywhere(act, ping_interval=(0.05, 60))


@option("max_http_buffer_size")
async def test_a_body_of_the_limit_is_taken_and_a_message_over_it_ends_the_session():
    async def act(peer):
        got = []
        for size in (99, 100):
            sid = (await peer.open())["sid"]
            posted = await peer.post(sid, '40{"a":"' + "x" * (size - 10) + '"}')
            got.append(posted.status_code)
        async with peer.websocket() as socket:
            await socket.recv()
            await socket.send('40{"a":"' + "x" * 88 + '"}')
            got.append((await take(socket))[:3])
            await socket.send("42" + "x" * 100)
            try:
                await socket.recv()
            except ConnectionClosed:
                got.append("closed")
        return got

    assert [200, 200, "40{", "closed"] == await everywhere(act, max_http_buffer_size=100)


@option("transports")
@pytest.mark.parametrize(
    ("transports", "expected"),
    [
        (None, [200, "0"]),
        (["polling"], [200, "refused"]),
        ("polling", [200, "refused"]),
        (["websocket"], [400, "0"]),
        (["websocket", "carrier pigeon"], [400, "0"]),
        (["polling", "websocket"], [200, "0"]),
    ],
    ids=str,
)
async def test_only_transports_that_are_listed_are_served(transports, expected):
    async def act(peer):
        polling = (await peer.http.get(peer.polling())).status_code
        try:
            async with peer.websocket() as socket:
                return [polling, (await socket.recv())[:1]]
        except InvalidStatus:
            return [polling, "refused"]

    assert expected == await everywhere(act, transports=transports)


@option("transports")
@pytest.mark.parametrize("kind", SERVERS)
def test_a_list_without_a_transport_that_exists_is_refused(kind):
    with pytest.raises(ValueError, match="No valid transports"):
        make(kind, transports=["carrier pigeon"])


@option("cookie")
@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (None, None),
        ("io", "io=*; path=/; SameSite=Lax"),
        (
            {"name": "mine", "path": "/x", "Secure": True, "Max-Age": lambda: "60"},
            "mine=*; path=/x; Secure; Max-Age=60",
        ),
        ({"HttpOnly": True}, "io=*; HttpOnly"),
    ],
    ids=["none", "a name", "attributes", "a flag"],
)
async def test_a_session_sets_the_cookie_once(cookie, expected):
    async def act(peer):
        opened = await peer.http.get(peer.polling())
        sid = opened.text.split('"')[3]
        set_cookie = opened.headers.get("set-cookie")
        posted = await peer.post(sid, "40")
        assert "set-cookie" not in posted.headers
        assert "set-cookie" not in (await peer.poll(sid)).headers
        return set_cookie and set_cookie.replace(sid, "*")

    assert expected == await everywhere(act, cookie=cookie)


def name_of(origins):
    """Name a row by what it says: a function's text would be another in each process."""
    return getattr(origins, "__name__", str(origins))


def allows_page(origin):
    return origin == PAGE


def allows_page_on_host(origin, environ):
    return origin == PAGE and "HTTP_HOST" in environ


@option("cors_allowed_origins", "cors_credentials")
@pytest.mark.parametrize("credentials", [True, False])
@pytest.mark.parametrize(
    "origins",
    [None, "*", PAGE, [PAGE], [PAGE, "*"], [], allows_page, allows_page_on_host, "http://other.example"],
    ids=name_of,
)
async def test_pages_of_other_origins_are_answered(origins, credentials):
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-token"}

    async def act(peer):
        own = str(peer.http.base_url).rstrip("/")
        got = []
        for origin in (PAGE, own, "http://evil.example", "null", None):
            headers = {"Origin": origin} if origin else {}
            for method, more in (("GET", {}), ("OPTIONS", preflight)):
                answer = await peer.http.request(method, peer.polling(), headers={**headers, **more})
                seen = {name: answer.headers.get(name, "").replace(own, "own") for name in CORS}
                got.append((method, origin if origin != own else "own", answer.status_code, seen))
        return got

    answers = await everywhere(act, cors_allowed_origins=origins, cors_credentials=credentials)
    allowed = {origin for method, origin, status, _ in answers if method == "GET" and status == 200}
    assert None in allowed
    assert (PAGE in allowed) is (origins not in (None, "http://other.example"))


@option("cors_allowed_origins")
@pytest.mark.parametrize("origins", [None, "*", [PAGE], [], allows_page], ids=name_of)
async def test_websockets_of_other_origins_are_refused_or_not(origins):
    async def act(peer):
        got = {}
        for origin in (PAGE, "http://evil.example", None):
            try:
                async with peer.websocket(origin=origin) as socket:
                    got[origin] = (await socket.recv())[:1]
            except InvalidStatus:
                got[origin] = "refused"
        return got

    got = await everywhere(act, cors_allowed_origins=origins)
    assert ("0" if origins in ("*", []) else "refused") == got["http://evil.example"]


@option("http_compression", "compression_threshold")
@pytest.mark.parametrize("options", [{"http_compression": False}, {"compression_threshold": 10_000}], ids=str)
async def test_answers_are_not_compressed_where_that_is_switched_off_or_they_are_small(options):
    async def act(peer):
        answer = await peer.http.get(peer.polling(), headers={"Accept-Encoding": "gzip"})
        return [answer.status_code, answer.headers["content-type"], answer.headers.get("content-encoding")]

    assert [200, "text/plain; charset=UTF-8", None] == await everywhere(act, **options)


@option("monitor_clients", "async_mode")
@pytest.mark.parametrize(
    "options", [{"monitor_clients": False}, {"monitor_clients": True}, {"async_mode": "asgi"}]
)
async def test_options_of_how_it_runs_are_taken(options):
    assert (await everywhere(handshakes, **options))[0]["upgrades"] == ["websocket"]


@option("async_handlers", "always_connect", "namespaces")
def test_options_that_programs_use_are_used():
    used = {name for program in PROGRAMS for name in program.options} | {"async_handlers"}
    assert {"async_handlers", "always_connect", "namespaces"} == used


@option("logger", "engineio_logger")
@pytest.mark.parametrize("kind", SERVERS)
def test_loggers_are_taken(kind):
    mine, engines = logging.getLogger("mine"), logging.getLogger("engine's")
    server = make(kind, logger=mine, engineio_logger=engines)
    assert mine is server.logger
    assert engines is server.eio.logger


@option("logger", "engineio_logger")
@pytest.mark.parametrize("is_wrapped", [False, True], ids=["logger", "adapter"])
@pytest.mark.parametrize("kind", SERVERS)
async def test_emits_and_rooms_are_logged_where_a_logger_is_given(kind, is_wrapped, caplog):
    mine = logging.getLogger("roomwire.tests.mine")
    caplog.set_level(logging.INFO, mine.name)
    server = make(kind, logger=logging.LoggerAdapter(mine, {}) if is_wrapped else mine)
    await server.emit("said", to="den")
    await server.close_room("den")
    assert ['emitting event "said" to den [/]', "room den is closing [/]"] == [
        record.getMessage() for record in caplog.records if record.name == mine.name
    ]


@option("client_manager")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_a_manager_of_python_socketios_own_may_be_given(program):
    stock, *ours = [
        await transcript(kind, program, client_manager=socketio.AsyncManager()) for kind in SERVERS
    ]
    assert [stock] * len(ours) == ours


@option("serializer")
@pytest.mark.parametrize("program", [each for each in PROGRAMS if each.name in {"events_and_acks", "binary"}])
async def test_the_default_serializer_may_be_named(program):
    stock, *ours = [await transcript(kind, program, serializer="default") for kind in SERVERS]
    assert [stock] * len(ours) == ours


LATER = [
    ({"ping_interval": 4}, {"pingInterval": 4_000}),
    ({"ping_timeout": 2}, {"pingTimeout": 2_000}),
    ({"ping_interval": 60, "ping_timeout": 40}, {"pingInterval": 60_000, "pingTimeout": 40_000}),
    ({"max_http_buffer_size": 5_000}, {"maxPayload": 5_000}),
    ({"allow_upgrades": False}, {"upgrades": []}),
]


@option("ping_interval", "ping_timeout", "max_http_buffer_size", "allow_upgrades")
@pytest.mark.parametrize(("settings", "expected"), LATER, ids=[str(row[0]) for row in LATER])
async def test_a_setting_may_be_changed_later(settings, expected):
    async def act(peer):
        for name, value in settings.items():
            setattr(peer.engine, name, value)
            assert value == getattr(peer.engine, name)
        return await handshakes(peer)

    polling, _ = await everywhere(act)
    assert expected.items() <= polling.items()


@option("ping_interval")
async def test_a_ping_interval_that_was_changed_later_is_kept():
    async def act(peer):
        peer.engine.ping_interval = 0.05
        async with peer.websocket() as socket:
            await socket.recv()
            return await socket.recv()

    assert "2" == await everywhere(act)


@option("ping_interval", "ping_timeout")
@pytest.mark.parametrize("value", [0, -1, "25", None, True, 200], ids=str)
def test_a_setting_that_could_not_hold_is_refused(value):
    server = Server()
    with pytest.raises(ValueError, match="ping_interval_s"):
        server.eio.ping_interval = value
    assert 25 == server.eio.ping_interval


NEUTRAL = {"events_and_acks", "payloads", "emits", "callbacks", "calls", "binary"}
"""Programs whose values every serializer knows."""


@option("serializer", "json")
@pytest.mark.parametrize(
    "program", [each for each in PROGRAMS if each.name in NEUTRAL], ids=lambda one: one.name
)
@pytest.mark.parametrize(
    "options", [{"json": json}, {"serializer": socketio.packet.Packet}], ids=["a module", "a class"]
)
async def test_a_serializer_or_a_json_module_writes_the_same_bytes(program, options):
    stock, *ours = [await transcript(kind, program, **options) for kind in SERVERS]
    for one in ours:
        assert stock == [
            [unescaped(packet) if isinstance(packet, str) else packet for packet in client] for client in one
        ]


class Tagged:
    """A JSON module of a program's own."""

    @staticmethod
    def dumps(value, **options):
        return json.dumps(value, default=lambda one: {"of": type(one).__name__}, **options)

    @staticmethod
    def loads(text, **options):
        return json.loads(text, parse_int=lambda digits: int(digits) + 1000, **options)


@option("json")
@pytest.mark.parametrize("way", ["websocket", "polling"])
async def test_a_json_module_reads_and_writes_all_values(way):
    def write(server):
        @server.event
        async def echo(sid, *args):
            await server.emit("tagged", {"a": object()}, to=sid)
            return [*args, {1}]

        async def script(first, second):
            await first.send('421["echo",7]')

        return script

    tested = Program(write=write, options={}, connects=["40"])
    before = socketio.packet.Packet.json
    try:
        stock, *ours = [await transcript(kind, tested, way, json=Tagged) for kind in SERVERS]
    finally:
        socketio.packet.Packet.json = engineio.packet.Packet.json = before
    assert '42["tagged",{"a":{"of":"object"}}]' in stock[0]
    assert [stock] * len(ours) == ours


@option("client_manager", "logger", "json", "async_handlers", "namespaces")
@pytest.mark.parametrize("kind", SERVERS)
def test_options_may_be_given_by_position(kind):
    made = socketio.AsyncServer if kind == "stock" else Server
    mine = logging.getLogger("mine")
    server = made(None, mine, None, False, ["/", "/other"], async_mode="asgi")
    assert (mine, False, ["/", "/other"]) == (server.logger, server.async_handlers, server.namespaces)


@option("json")
async def test_no_json_module_is_the_default():
    assert (await everywhere(handshakes, json=None))[0]["upgrades"] == ["websocket"]


def test_every_option_is_shown():
    assert set() == option.missing
