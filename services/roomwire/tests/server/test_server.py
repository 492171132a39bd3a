"""The server, with real clients on real connections."""

import asyncio
import inspect
import itertools
import random
import time
import types

import engineio
import pytest
import socketio
import websockets
from live import Client, Polling, served
from waiting import until

from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.session import Reason
from roomwire.errors import Forbidden, RateLimited, Unauthenticated, Unavailable
from roomwire.identity.tokens import User
from roomwire.log.memory.log import MemoryLog
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.codec import Packet
from roomwire.protocol.sources import Proxies
from roomwire.rooms.handshake import Handshake
from roomwire.rooms.manager import Rooms
from roomwire.server import Server
from roomwire.server.drain import DRAIN_BATCHES_PER_S
from roomwire.server.drop_in import NEWER, OVERRIDDEN

ANN = User(id="account:1", name="Ann", kind="account")
OURS = {
    "socketio.AsyncServer": (Server, socketio.AsyncServer),
    "socketio.AsyncManager": (Rooms, socketio.AsyncManager),
    "socketio.packet.Packet": (Packet, socketio.packet.Packet),
    "engineio.AsyncServer": (AsgiEngine, engineio.AsyncServer),
}


@pytest.mark.parametrize("stock_name", OURS)
def test_what_is_overridden_takes_the_arguments_of_what_is_installed(stock_name):
    ours, stock = OURS[stock_name]
    for name in OVERRIDDEN[stock_name]:
        if not hasattr(stock, name):
            assert name in NEWER
            continue
        if name == "connect" and not hasattr(stock, "pre_connect"):
            # Before 5.18 its argument has another name; it is given by position.
            continue
        # Variable arguments may stand in for named ones, and ours may have more, by keyword only.
        mine, theirs = (inspect.signature(getattr(each, name)).parameters.values() for each in (ours, stock))
        named = {parameter.name for parameter in theirs}
        mine = [each for each in mine if each.name in named or each.kind is not each.KEYWORD_ONLY]
        if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in [*mine, *theirs]):
            assert [parameter.name for parameter in theirs] == [parameter.name for parameter in mine]


async def test_a_program_may_put_the_class_in_the_place_of_python_socketios(monkeypatch):
    monkeypatch.setattr(socketio, "AsyncServer", Server)
    sio = socketio.AsyncServer(async_mode="asgi")

    assert isinstance(sio.manager, Rooms)
    await sio.close()


@pytest.mark.parametrize("stock_name", OURS)
def test_every_name_that_is_overridden_stands_in_the_list(stock_name):
    ours, stock = OURS[stock_name]
    names = {name for name, value in own(ours).items() if callable(value) and not name.startswith("__")}
    documented = {"initialize", "close"}  # hooks that python-socketio means to be overridden

    assert (
        set() == {name for name in names if hasattr(stock, name)} - set(OVERRIDDEN[stock_name]) - documented
    )


def own(kind):
    """Return what a class of ours has, and those of ours that it is made of."""
    return {
        name: value
        for one in reversed(kind.mro())
        if one.__module__.startswith("roomwire.")
        for name, value in vars(one).items()
    }


class Site:
    """A server of one node, and what was counted."""

    def __init__(self, **options):
        self.metrics = Metrics()
        self.log = MemoryLog.alone(node="n1", metrics=self.metrics)
        self.server = Server(log=self.log, node_name="n1", metrics=self.metrics, **options)
        self.address = ""

    def metric(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"roomwire_{name}", labels) or 0

    def nothing_is_left(self):
        manager = self.server.manager
        return not (
            self.server.manager.rooms
            or self.server.environ
            or any(manager.rooms.values())
            # Of older releases it is no attribute.
            or getattr(manager, "pending_connect", None)
            or manager.pending_disconnect
        )


@pytest.fixture
async def site():
    """A factory: serves a server that is made with these options."""
    stack = []

    async def serve(**options):
        site = Site(**options)
        site.server.on("connect", lambda *_: None)
        await site.server.start()
        context = served(socketio.ASGIApp(site.server))
        site.address = await context.__aenter__()
        stack.append((site, context))
        return site

    yield serve
    for site, context in stack:
        await context.__aexit__(None, None, None)
        await site.server.close()


def raising(error):
    async def handler(*_):
        raise error

    return handler


async def test_session_ids_begin_with_the_nodes_name(site):
    site = await site()
    async with Client.connected(site.address) as client:
        (engine_sid,) = site.server.eio.sockets

        assert engine_sid.startswith("n1.")
        assert client.sid != engine_sid


async def test_who_is_authenticated_is_known_as_long_as_it_is_connected(site):
    async def authenticate(handshake):
        assert "secret" == handshake.token
        return ANN

    site = await site(authenticate=authenticate)
    async with Client.connected(
        site.address, {"token": "secret"}, query="&a=1", headers={"X-Y": "z"}
    ) as client:
        connection = site.server.member(client.sid)
        assert ANN == connection.user
        assert "z" == connection.handshake.headers["x-y"]
        assert "127.0.0.1" == connection.handshake.address
        assert "a=1" in connection.handshake.query
    await until(site.nothing_is_left)
    with pytest.raises(KeyError):
        site.server.member(client.sid)


async def test_without_an_authenticator_everybody_is_somebody_new(site):
    site = await site()
    async with Client.connected(site.address) as first, Client.connected(site.address) as second:
        users = [site.server.member(client.sid).user for client in (first, second)]

        assert ["anonymous", "anonymous"] == [user.kind for user in users]
        assert users[0].id != users[1].id


@pytest.mark.parametrize(
    ("error", "code"), [(Unauthenticated(), "unauthenticated"), (Forbidden("Not you."), "forbidden")]
)
async def test_a_refusal_reaches_the_client_with_its_code(site, error, code):
    site = await site(authenticate=raising(error))
    async with Client.open(site.address) as client:
        answer = await client.connect({"token": "x"})

        assert {"message": error.message, "data": dict(error.details())} == answer
        assert 1 == site.metric("connects_total", outcome=code)
        assert not site.server.manager.rooms


async def test_a_refused_client_may_try_again_on_the_same_transport(site):
    async def authenticate(handshake):
        if handshake.auth is None:
            raise Unauthenticated
        return ANN

    site = await site(authenticate=authenticate)
    async with Client.open(site.address) as client:
        assert "message" in await client.connect()
        client.frames.clear()
        assert "sid" in await client.connect({"token": "x"})


async def test_a_connect_handler_refuses_with_an_error_too(site):
    site = await site()
    site.server.on("connect", raising(RateLimited()))
    async with Client.open(site.address) as client:
        assert "rate_limited" == (await client.connect())["data"]["code"]


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        pytest.param(False, "Connection rejected by server", id="false"),
        pytest.param(socketio.exceptions.ConnectionRefusedError("no"), "no", id="python-socketio's error"),
        pytest.param(ConnectionRefusedError(), "Connection refused by server", id="Python's error"),
    ],
)
async def test_a_refusal_in_python_socketios_way_works_as_there(site, outcome, message):
    async def connect(*_):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    site = await site()
    site.server.on("connect", connect)
    async with Client.open(site.address) as client:
        assert message == (await client.connect())["message"]
        assert 1 == site.metric("connects_total", outcome="refused")
        assert not site.server.manager.rooms


@pytest.mark.parametrize("with_auth", [True, False])
async def test_a_connect_handler_may_do_without_auth_as_in_python_socketio(site, with_auth):
    seen = []

    async def without(sid, environ):
        seen.append((sid, environ["QUERY_STRING"]))

    async def with_(sid, environ, auth):
        seen.append((sid, environ["QUERY_STRING"], auth))

    site = await site()
    site.server.on("connect", with_ if with_auth else without)
    async with Client.connected(site.address) as client:
        assert [client.sid] == [call[0] for call in seen]


async def test_an_unexpected_exception_refuses_as_internal_and_tells_nothing(site, log_lines):
    site = await site()
    site.server.on("connect", raising(ValueError("the secret inside")))
    async with Client.open(site.address) as client:
        answer = await client.connect({"token": "x"})

        assert "internal" == answer["data"]["code"]
        assert not [frame for frame in client.frames if "secret inside" in frame]
    await until(site.nothing_is_left)
    assert 1 == len([line for line in log_lines() if line["event"] == "connect handler failed"])


async def test_when_a_connect_cannot_be_decided_now_the_transport_is_closed_and_nothing_is_left(site):
    site = await site(authenticate=raising(Unavailable()))
    async with Client.open(site.address) as client:
        await client.send_frame("40")
        await client.ended()

        assert [] == [frame for frame in client.frames if frame.startswith("4")]
    assert 1 == site.metric("connects_total", outcome="unavailable")
    await until(site.nothing_is_left)
    await until(lambda: not site.server.count_connections())


async def test_a_client_that_leaves_while_it_is_authenticated_leaves_nothing_behind(site):
    asked, answer = asyncio.Event(), asyncio.Event()

    async def authenticate(_):
        asked.set()
        await answer.wait()
        return ANN

    site = await site(authenticate=authenticate)
    async with Polling.open(site.address) as client:
        connecting = asyncio.create_task(client.post("40"))
        await asked.wait()
        # Its next request would wait for this one.
        site.server.eio.close(client.sid, Reason.TRANSPORT_CLOSE)
        await until(lambda: not site.server.environ)
        answer.set()
        await connecting

    await until(site.nothing_is_left)
    assert 0 == site.metric("connects_total", outcome="ok")


async def test_an_event_reaches_its_handler_and_the_answer_its_ack(site):
    site = await site()
    site.server.on("add", lambda _, a, b: a + b)
    async with Client.connected(site.address) as client:
        assert 3 == await client.emit("add", 1, 2)
    assert 1 == site.metric("events_total", outcome="ok")
    assert 1 == site.metric("event_seconds_count")


async def test_an_error_is_the_ack_where_one_is_waited_for(site):
    site = await site()
    site.server.on("knock", raising(Forbidden("Not you.")))
    async with Client.connected(site.address) as client:
        answer = await client.emit("knock")

        assert {"error": {"code": "forbidden", "message": "Not you.", "retryable": False}} == answer
        assert [] == client.events
    assert 1 == site.metric("events_total", outcome="forbidden")


async def test_an_error_is_the_event_exception_where_no_ack_is_waited_for(site):
    site = await site()
    site.server.on("knock", raising(Forbidden("Not you.")))
    async with Client.connected(site.address) as client:
        await client.send("knock")

        assert [{"code": "forbidden", "message": "Not you.", "retryable": False}] == await client.event(
            "exception"
        )


async def test_an_error_answer_names_its_namespace(site):
    site = await site(namespaces=["/den"])
    site.server.on("connect", lambda *_: None, namespace="/den")
    site.server.on("knock", raising(Forbidden()), namespace="/den")
    async with Client.connected(site.address, namespace="/den") as client:
        await client.send_frame('42/den,7["knock"]')
        assert "forbidden" == (await client.ack(7))[0]["error"]["code"]
        assert client.frames[-1].startswith("43/den,7[")


@pytest.mark.parametrize("event", ["connect", "disconnect"])
async def test_a_client_cannot_send_the_events_that_are_the_servers_own(site, event):
    calls = []

    async def authenticate(_):
        calls.append("authenticated")
        return ANN

    site = await site(authenticate=authenticate)
    site.server.on("disconnect", lambda *_: calls.append("disconnected"))
    async with Client.connected(site.address) as client:
        await client.send(event, {"HTTP_AUTHORIZATION": "Bearer x"}, {"token": "x"})
        (error,) = await client.event("exception")

        assert "invalid_body" == error["code"]
        assert ["authenticated"] == calls
        assert ANN == site.server.member(client.sid).user
    assert 0 == site.metric("disconnects_total", reason="{'HTTP_AUTHORIZATION': 'Bearer x'}")


async def test_an_unexpected_exception_in_a_handler_is_counted_as_internal(site):
    site = await site()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    site.server.on("knock", raising(ValueError()))
    async with Client.connected(site.address) as client:
        await client.send("knock")
        await until(lambda: site.metric("events_total", outcome="internal"))


async def test_handlers_of_one_connection_run_concurrently_as_in_python_socketio(site):
    site = await site()
    released = asyncio.Event()

    async def wait(_):
        await released.wait()
        return "late"

    async def release(_):
        released.set()
        return "early"

    site.server.on("wait", wait)
    site.server.on("release", release)
    async with Client.connected(site.address) as client:
        late = await client.ask("wait")
        assert "early" == await client.emit("release")
        assert ["late"] == await client.ack(late)


async def test_rooms_and_tasks_are_as_before_when_the_last_client_has_gone(site):
    site = await site()
    site.server.on("join", site.server.enter_room)
    before = []
    for _ in range(3):
        async with Client.connected(site.address) as client:
            await client.emit("join", "den")
            assert 1 == site.metric("rooms")
            # Those of the transport, which are more than one that is kept ready for what comes.
            before.append(site.metric("tasks"))
        await until(lambda: site.metric("rooms") == 0 and site.metric("tasks") < before[-1])


async def test_one_line_when_a_connection_opens_and_one_when_it_closes(site, log_lines):
    async def authenticate(_):
        return ANN

    site = await site(authenticate=authenticate)
    site.server.on("knock", lambda _: "come in")
    async with Client.connected(site.address, {"token": "hunter2"}) as client:
        await client.emit("knock")
        await client.emit("knock")
        await client.send_frame("41")
        await until(lambda: not site.server.manager.rooms)

    opened, closed = [line for line in log_lines() if line["event"].startswith("connection")]
    assert ("connection opened", client.sid, "/", "account:1", "account") == tuple(
        opened[field] for field in ("event", "sid", "namespace", "user", "kind")
    )
    assert ("connection closed", client.sid, "/", "account:1", "client disconnect", 2) == tuple(
        closed[field] for field in ("event", "sid", "namespace", "user", "reason", "events")
    )
    assert 0 <= closed["duration_s"] < 10
    assert "hunter2" not in str(log_lines())
    assert 1 == site.metric("disconnects_total", reason="client disconnect")


async def test_a_refusal_is_one_line_with_its_code(site, log_lines):
    site = await site(authenticate=raising(Unauthenticated()))
    async with Client.open(site.address) as client:
        await client.connect()

    lines = [line for line in log_lines() if line["event"].startswith("connection")]
    assert [("connection refused", "unauthenticated")] == [(line["event"], line["code"]) for line in lines]


async def test_an_exception_in_a_disconnect_handler_leaves_nothing_behind(site, log_lines):
    site = await site()
    site.server.on("disconnect", raising(ValueError("no")))
    async with Client.connected(site.address) as client:
        await site.server.enter_room(client.sid, "den")

    await until(site.nothing_is_left)
    assert 1 == len([line for line in log_lines() if line["event"] == "disconnect handler failed"])


async def test_a_disconnect_handler_may_do_without_a_reason_as_in_python_socketio(site):
    site = await site()
    gone = []

    def part(sid):
        gone.append(sid)

    site.server.on("disconnect", part)
    async with Client.connected(site.address) as client:
        pass

    await until(lambda: gone == [client.sid])


async def test_draining_closes_every_transport_without_a_disconnect_packet(site):
    site = await site()
    async with Client.connected(site.address) as first, Client.connected(site.address) as second:
        await site.server.drain(0)
        for client in (first, second):
            await client.ended()
            assert [] == [frame for frame in client.frames if frame.startswith("41")]
    assert 2 == site.metric("disconnects_total", reason="server disconnect")
    assert {} == site.server.count_connections()
    await until(site.nothing_is_left)


async def test_draining_ends_a_waiting_poll(site):
    site = await site()
    async with Polling.open(site.address) as client:
        poll = asyncio.create_task(client.poll())
        await until(lambda: site.server.eio.sockets[client.sid].state.is_polled)
        await site.server.drain(0)

        assert "1" == await poll


async def test_a_connection_that_was_drained_is_not_counted_though_its_client_does_not_poll(site):
    site = await site()
    async with Polling.open(site.address):
        assert {"polling": 1} == site.server.count_connections()
        await site.server.drain(0)

        assert {} == site.server.count_connections()


async def test_draining_is_spread_over_the_window(site):
    site = await site()
    async with (
        Client.connected(site.address) as first,
        Client.connected(site.address) as second,
        Client.connected(site.address) as third,
    ):
        started = time.monotonic()
        ended = []

        async def note(client):
            await client.ended()
            ended.append(time.monotonic() - started)

        async with asyncio.TaskGroup() as group:
            for client in (first, second, third):
                group.create_task(note(client))
            group.create_task(site.server.drain(0.3))
        gaps = [later - earlier for earlier, later in itertools.pairwise(ended)]
        assert min(gaps) > 0.02
        assert ended[-1] < 1.0


@pytest.mark.parametrize("clients", [1, 2, 19, 24, 1_000])
async def test_a_drain_uses_its_window_however_many_there_are(clients, monkeypatch):
    server, now, closed_at = Server(), 0.0, []
    server.eio.sockets.update(dict.fromkeys(range(clients)))

    async def sleep(seconds):
        nonlocal now
        now += seconds

    async def disconnect():
        server.eio.sockets.clear()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(random, "uniform", lambda *_: 1.0)
    monkeypatch.setattr(server.eio, "close", lambda *_: closed_at.append(now))
    monkeypatch.setattr(server.eio, "disconnect", disconnect)
    await server.drain(2.0)

    batches = min(clients, 2 * DRAIN_BATCHES_PER_S)
    assert len(closed_at) == clients
    assert closed_at[-1] == pytest.approx(2.0 * (batches - 1) / batches)


HELD = [
    pytest.param(0.95, 1.55, [0.0, 2.6, 3.07, 3.53], id="for a while"),
    pytest.param(0.0, 99.0, [4.0] * 4, id="for longer than the window"),
    pytest.param(3.2, 3.4, [0.0, 1.0, 2.0, 3.0], id="after the last was closed"),
]
"""From when to when the log is held, and when each of four clients is closed in a window of four seconds."""


@pytest.mark.parametrize(("since", "until_", "closed"), HELD)
async def test_a_drain_waits_within_its_window_while_the_log_is_held(since, until_, closed, monkeypatch):
    now, closed_at = 0.0, []

    class HeldLog:
        @property
        def is_live(self):
            return not since <= now < until_

    server = Server()
    server.eio.sockets.update(dict.fromkeys(range(4)))

    async def sleep(seconds):
        nonlocal now
        now += seconds

    async def disconnect():
        server.eio.sockets.clear()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(random, "uniform", lambda *_: 1.0)
    monkeypatch.setattr(server.eio, "close", lambda *_: closed_at.append(now))
    monkeypatch.setattr(server.eio, "disconnect", disconnect)
    monkeypatch.setattr(server, "log", HeldLog())
    await server.drain(4.0)

    assert closed == pytest.approx(closed_at, abs=0.15)


@pytest.mark.parametrize("is_live", [True, False])
async def test_draining_nobody_takes_no_time(site, monkeypatch, is_live):
    site = await site()
    started = time.monotonic()
    if not is_live:
        monkeypatch.setattr(site.server, "log", types.SimpleNamespace(is_live=False))
    await site.server.drain(60)

    assert time.monotonic() - started < 1


async def test_closing_is_idempotent_and_right_without_a_start():
    site = Site()
    await site.server.close()
    await site.server.close()


async def test_the_hook_after_init_runs_once_at_start():
    class Namespace(socketio.AsyncNamespace):
        started = 0

        async def after_init(self):
            self.started += 1

    site, namespace = Site(), Namespace("/den")
    site.server.register_namespace(namespace)
    site.server.register_namespace(socketio.AsyncNamespace("/stock"))
    await site.server.start()

    assert 1 == namespace.started
    await site.server.close()


async def test_connections_are_counted_by_their_transport_before_and_after_an_upgrade(site):
    site = await site()
    async with Polling.open(site.address) as client, Client.connected(site.address):
        await client.post("40")
        assert (await client.poll()).startswith("40")
        assert (1, 1) == tuple(
            site.metric("connections", transport=transport) for transport in ("polling", "websocket")
        )

        url = f"ws://{site.address}/socket.io/?EIO=4&transport=websocket&sid={client.sid}"
        async with websockets.connect(url, proxy=None) as upgraded:
            await upgraded.send("2probe")
            assert "3probe" == await upgraded.recv()
            await upgraded.send("5")
            await until(lambda: site.metric("connections", transport="websocket") == 2)
            assert 0 == site.metric("connections", transport="polling")
    await until(lambda: site.metric("connections", transport="websocket") == 0)


async def test_events_sent_in_one_payload_with_the_farewell_are_handled_before_it(site):
    site = await site()
    happened = []
    site.server.on("say", lambda _, text: happened.append(text))
    site.server.on("disconnect", lambda *_: happened.append("gone"))
    async with Polling.open(site.address) as client:
        await client.post("40")
        await client.poll()
        await client.post('42["say","one"]\x1e42["say","two"]\x1e41')

        await until(lambda: "gone" in happened)
        assert ["one", "two", "gone"] == happened


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, ("", {}, ""), id="nothing"),
        pytest.param(
            {
                "QUERY_STRING": "EIO=4",
                "HTTP_X_FORWARDED_FOR": "1.2.3.4",
                "CONTENT_TYPE": "x",
                "asgi.scope": {"client": ("10.0.0.1", 5)},
            },
            ("EIO=4", {"x-forwarded-for": "1.2.3.4"}, "10.0.0.1"),
            id="the address is the connection's, whatever a header says",
        ),
        pytest.param({"asgi.scope": {"client": None}}, ("", {}, ""), id="a Unix socket"),
    ],
)
def test_a_handshake_is_read_from_the_request(environ, expected):
    found = Handshake(environ, None, proxies=Proxies())
    assert expected == (found.query, found.headers, found.address)


@pytest.mark.parametrize(
    ("environ", "options", "names"),
    [
        ({}, {}, []),
        ({"AUTH_MODE": "required"}, {}, ["ROOMWIRE_AUTH_MODE"]),
        ({"AUTH_MODE": "optional"}, {}, ["ROOMWIRE_AUTH_MODE"]),
        ({"AUTH_MODE": "off", "REDIS_URL": "memory://"}, {}, []),
        ({"AUTH_MODE": "required"}, {"authenticate": raising(Forbidden())}, []),
        (
            {"REDIS_URL": "redis://:secret@there", "REDIS_URL_FILE": "/file"},
            {},
            ["ROOMWIRE_REDIS_URL", "ROOMWIRE_REDIS_URL_FILE"],
        ),
        ({"REDIS_URL": "redis://there"}, {"log": MemoryLog.alone(node="n", metrics=Metrics())}, []),
        ({"MAX_CONNECTIONS": "5", "PORT": "80"}, {}, []),
    ],
)
def test_a_server_alone_names_the_settings_that_it_does_not_heed(
    monkeypatch, log_lines, environ, options, names
):
    for name in ("AUTH_MODE", "REDIS_URL", "REDIS_URL_FILE"):
        monkeypatch.delenv(f"ROOMWIRE_{name}", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(f"ROOMWIRE_{name}", value)
    Server(**options)
    lines = [line for line in log_lines() if line["event"] == "settings not read by a server alone"]
    assert [names] * bool(names) == [line["names"] for line in lines]
    assert "secret" not in str(lines)
