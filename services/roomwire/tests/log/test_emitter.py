"""Emitting without a gateway: by a real log, to clients of two servers, for both kinds of emitter."""

import asyncio
import contextlib
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import redis.asyncio
from clients import js_clients
from flaky_proxy import Proxy
from gateways_of_a_log import world_of
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from recovering import Browser, nodes_of
from redis_homes import ClusterHome, SentinelHome, eventually, running
from waiting import time_passes, until

from roomwire import AsyncEmitter, Emitter, Keep
from roomwire.errors import ConfigurationError, OutcomeUnknown, TooLarge, Unavailable
from roomwire.history.contract import Said
from roomwire.history.opening import open_history
from roomwire.log.config import LogConfig
from roomwire.log.errors import EmitterClosed, EventTooLarge, MessageIdTooLong
from roomwire.log.streams import namespace_stream, room_stream
from roomwire.metrics.gateway import Metrics
from roomwire.tracing import Tracing
from roomwire_local.free_ports import free_ports

ROOT = Path(__file__).parents[4]
EVERY_SERVER = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)
ONE_SERVER = pytest.mark.parametrize("redis_binary", ["valkey"], indirect=True)
RED = b"rw:{0}:room:" + room_stream("/", "red")
EVERYBODY = b"rw:{0}:room:" + namespace_stream("/")


class InThread:
    """The emitter without an event loop, called from one."""

    def __init__(self, url, **options):
        self._emitter = Emitter(url, **options)

    async def __aenter__(self):
        self._emitter.__enter__()
        return self

    async def __aexit__(self, *error):
        await asyncio.to_thread(self._emitter.__exit__, *error)

    async def emit(self, *args, **options):
        await asyncio.to_thread(self._emitter.emit, *args, **options)

    async def close(self):
        await asyncio.to_thread(self._emitter.close)


@pytest.fixture(params=[InThread, AsyncEmitter], ids=["sync", "async"])
def emitting(request):
    return request.param


@pytest.fixture
async def nodes(own_server):
    async with nodes_of(own_server.url) as start:
        yield start


@pytest.fixture
async def admin(own_server):
    async with redis.asyncio.from_url(own_server.url) as client:
        yield client


async def member(node, *rooms, namespace="/"):
    client = Browser()
    await client.connect(node, namespace=namespace)
    for room in rooms:
        await client.ask("join", room)
    return client


# -- what clients get


@EVERY_SERVER
async def test_clients_of_two_servers_get_what_an_emitter_says_once_and_in_order(nodes, own_server, emitting):
    one, two = await nodes(), await nodes()
    first, second = await member(one, "red", "blue"), await member(two, "red")
    elsewhere = await member(two, namespace="/den")
    async with emitting(own_server.url) as emitter:
        await emitter.emit("n", 1, to="red")
        await two.server.emit("n", 2, to="red")
        await emitter.emit("n", 3)
        await emitter.emit("n", "first alone", to=first.sid)
        await emitter.emit("n", 4, to=["red", "blue"])
        await emitter.emit("n", "nobody", to=[])
        await emitter.emit("n", "second alone", to="red", skip_sid=first.sid)
        await emitter.emit("n", "neither", to="red", skip_sid=[first.sid, second.sid])
        await emitter.emit("n", "first alone, as the other is not in it", to="red", except_rooms=[second.sid])
        await emitter.emit("n", "second alone, as the other is in it", to="red", except_rooms="blue")
        await emitter.emit("n", "den", namespace="/den")
        await emitter.emit("n", ("two", {"b": b"\x00\xff"}, "arguments"), to="red")
        await emitter.emit("end")

    for client, alone in (
        (first, ["first alone", "first alone, as the other is not in it"]),
        (second, ["second alone", "second alone, as the other is in it"]),
    ):
        heard = []
        while not heard or heard[-1] != ["end"]:
            heard.append(await client.event())
        texts = [event[1] for event in heard[:-1]]
        assert ["two", 1, 2, 3, 4] == [texts[-1], *[one for one in texts[:-1] if isinstance(one, int)]]
        assert alone == [one for one in texts[:-1] if isinstance(one, str)]
    assert ["n", "den"] == await elsewhere.event()


@EVERY_SERVER
async def test_in_the_log_it_cannot_be_told_from_what_a_server_says(nodes, own_server, admin, emitting):
    node = await nodes()
    client = await member(node)
    async with emitting(own_server.url) as emitter:
        for speaker in (node.server, emitter):
            await speaker.emit("n", {"a": "ü", "b": [1.5, None]}, to="red")
            await speaker.emit("n", (1, b"raw"), to=7)
            await speaker.emit("n", "all", skip_sid=client.sid)
            await speaker.emit("n", "some", to=["red", client.sid, 7])
            await speaker.emit("n", "one", to=client.sid)

    streams = sorted([key async for key in admin.scan_iter(b"rw:{0}:room:*")])
    assert 4 == len(streams)
    for stream in streams:
        blobs = [fields[b"e"] for _, fields in await admin.xrange(stream)]
        assert blobs[: len(blobs) // 2] == blobs[len(blobs) // 2 :]


@ONE_SERVER
async def test_a_backends_trace_leads_over_its_emits_to_the_deliveries_on_all_gateways(
    nodes, own_server, emitting
):
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider)
    one, two = await nodes(tracing=tracing), await nodes(tracing=tracing)
    clients = [await member(node, "red") for node in (one, two)]
    async with emitting(own_server.url, tracing=tracing) as emitter:
        exporter.clear()
        with provider.get_tracer("backend").start_as_current_span("order") as order:
            await emitter.emit("n", 1, to="red")
        await emitter.emit("n", 2, to="red")
        for client in clients:
            assert [1, 2] == await client.events(2)

    spans = exporter.get_finished_spans()
    first, second = [span for span in spans if span.name == "send /"]
    deliveries = [span for span in spans if span.name == "deliver /"]
    assert order.get_span_context().span_id == first.parent.span_id
    assert second.parent is None
    assert "n" == first.attributes["roomwire.event"]
    assert Counter({first.context.span_id: 2, second.context.span_id: 2}) == Counter(
        span.parent.span_id for span in deliveries
    )
    assert {first.context.trace_id, second.context.trace_id} == {span.context.trace_id for span in deliveries}


@ONE_SERVER
async def test_an_emit_that_is_not_sampled_leaves_no_trace_in_the_log(own_server, admin, emitting):
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    async with (
        emitting(own_server.url, tracing=Tracing(provider)) as traced,
        emitting(own_server.url) as plain,
    ):
        for emitter in (traced, plain):
            await emitter.emit("n", 1, to="red")
    first, second = [fields[b"e"] for _, fields in await admin.xrange(RED)]
    assert first == second


@EVERY_SERVER
async def test_a_client_that_was_away_gets_it_by_recovery(nodes, own_server, emitting):
    one, two = await nodes(), await nodes()
    client = await member(one, "red")
    async with emitting(own_server.url) as emitter:
        await emitter.emit("n", 1, to="red")
        assert [1] == await client.events(1)
        client.cut()
        await emitter.emit("n", 2, to="red")
        await emitter.emit("n", 3, to=client.sid)
        await emitter.emit("n", 4, to=["red", "blue"])
        await client.connect(two)
        assert client.recovered
        await emitter.emit("n", 5)

    assert [2, 3, 4, 5] == await client.events(4)


@EVERY_SERVER
async def test_official_clients_get_it_and_one_that_was_cut_off_gets_what_it_missed(
    nodes, own_server, emitting
):
    one, two = await nodes(), await nodes()
    proxy = Proxy(int(one.address.rpartition(":")[2]))
    async with js_clients() as clients, emitting(own_server.url) as emitter, proxy:
        cut_off = await clients.connect(f"http://127.0.0.1:{proxy.port}", transports=["websocket"])
        stays = await clients.connect(f"http://{two.address}")
        for client in (cut_off, stays):
            await client.send("join", "red")
        await eventually(lambda: _are_members([one, two], "red"))
        await emitter.emit("n", 0, to="red")
        await cut_off.wait_for_event("n", 0)
        proxy.cut()
        for number in range(1, 20):
            await emitter.emit("n", number, to="red")
        await emitter.emit("n", [20, {"b": "ü"}])
        for client in (cut_off, stays):
            await client.wait_for_event("n", [20, {"b": "ü"}])
            expected = [["n", number] for number in (*range(20), [20, {"b": "ü"}])]
            assert expected == client.events
        assert (await cut_off.state())["recovered"]
        assert [] != [args for happening, args in cut_off.happenings if happening == "disconnect"]
        for client in (cut_off, stays):
            await client.close()


async def _are_members(nodes, room):
    return all(list(node.server.manager.get_participants("/", room)) for node in nodes)


@ONE_SERVER
async def test_what_is_said_to_a_client_whose_session_is_over_is_kept_for_nobody(nodes, own_server, emitting):
    node = await nodes()
    client = await member(node)
    await client.say("41")
    await until(lambda: node.gone == [client.sid])
    async with emitting(own_server.url) as emitter, redis.asyncio.from_url(own_server.url) as admin:
        await eventually(lambda: _has_ended(admin, client.sid))
        await emitter.emit("n", 1, to=client.sid)
        assert [] == [key async for key in admin.scan_iter(b"rw:{0}:room:s:*")]


async def _has_ended(admin, sid):
    return not await admin.exists(f"rw:{{0}}:session:{sid}")


async def test_the_documented_example_is_heard_and_takes_five_lines(redis_url):
    section = (
        (ROOT / "docs/nodes.md")
        .read_text()
        .partition("## Emitting from elsewhere\n")[2]
        .partition("\n## ")[0]
    )
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert 5 >= len([line for line in code.splitlines() if line])
    async with nodes_of(redis_url) as start:
        client = await member(await start(), "den")
        local = 'Path(".local/3000/redis-url").read_text()'
        assert local in code
        example = compile(code.replace(local, repr(redis_url)), "nodes.md", "exec")
        # The second time one of them has been said already.
        for _ in range(2):
            await asyncio.to_thread(exec, example, {})
        heard = [await client.event() for _ in range(3)]
    assert ["roomMessage", "shipped", "roomMessage"] == [event for event, _ in heard]


# -- what history stores of it


@pytest.fixture
async def history(own_server):
    opened = open_history(own_server.url, metrics=Metrics())
    await opened.start()
    yield opened
    await opened.close()


@EVERY_SERVER
async def test_history_stores_what_an_emitter_says_as_it_stores_what_a_server_says(
    nodes, own_server, history, emitting
):
    node = await nodes()
    client = await member(node, "red")
    async with emitting(own_server.url) as emitter:
        for speaker in (node.server, emitter):
            for namespace in ("/", "/den"):
                await speaker.emit("n", (1, {"a": "ü"}), to="red", namespace=namespace, keeps_history=True)
            await speaker.emit("n", 2, to="red")
            own = Keep(room="red", entry={"own": 3})
            await speaker.emit("n", 3, to=["red", "blue"], keeps_history=own)
        assert [1, 2, 3] * 2 == await client.events(6)

        for namespace, one_each in (("/", 2), ("/den", 1)):
            entries = (await history.recall("red", namespace=namespace)).values(dict)
            said, again = entries[:one_each], entries[one_each:]
            assert [("n", [1, {"a": "ü"}])] == [(one["event"], one["args"]) for one in said[:1]]
            assert [{**one, "at": 0} for one in said] == [{**one, "at": 0} for one in again]


@EVERY_SERVER
async def test_history_stores_once_what_is_said_again_and_as_much_as_the_last_emit_says(
    own_server, history, emitting
):
    async with emitting(own_server.url) as emitter:
        for number in (1, 1, 2, 3):
            keep = Keep(entries=2, ttl_s=60)
            await emitter.emit("n", number, to="red", message_id=str(number), keeps_history=keep)

    assert [[2], [3]] == [one.args for one in (await history.recall("red")).values(Said)]


@ONE_SERVER
@pytest.mark.parametrize("to", [None, ["red", "blue"], []], ids=["everyone", "two rooms", "no room"])
async def test_what_is_for_no_single_room_is_stored_by_a_room_that_it_names(own_server, to, emitting):
    async with emitting(own_server.url) as emitter:
        with pytest.raises(ValueError, match="name it with Keep"):
            await emitter.emit("n", 1, to=to, keeps_history=True)


@ONE_SERVER
async def test_half_a_character_is_stored_so_that_the_history_stays_readable(
    nodes, own_server, history, emitting
):
    client = await member(await nodes(), "red")
    async with emitting(own_server.url) as emitter:
        await emitter.emit("n", "cut \ud83d", to="red", keeps_history=True)

    assert ["n", "cut \ud83d"] == await client.event()
    assert [["cut ?"]] == [one.args for one in (await history.recall("red")).values(Said)]


@ONE_SERVER
async def test_an_entry_that_is_too_large_is_neither_said_nor_stored(own_server, history, emitting):
    async with emitting(own_server.url, max_message_bytes=100) as emitter:
        with pytest.raises(TooLarge):
            await emitter.emit("n", 1, to="red", keeps_history=Keep(entry="x" * 100))
        await emitter.emit("n", 2, to="red", keeps_history=Keep(entry="y"))

    assert ["y"] == (await history.recall("red")).values(str)


# -- what is tried again


@EVERY_SERVER
async def test_what_was_not_answered_is_said_again_within_the_call_and_heard_once(
    nodes, own_server, emitting
):
    client = await member(await nodes(), "red")
    async with Proxy(own_server.port) as proxy, emitting(proxy.url) as emitter:
        await emitter.emit("n", 1, to="red")
        proxy.drops_replies = True
        saying = asyncio.ensure_future(emitter.emit("n", 2, to="red"))
        # It is in the log, and nobody but the client knows.
        assert [1, 2] == await client.events(2)
        proxy.drops_replies = False
        proxy.cut()
        await saying
        await emitter.emit("n", 3, to="red")

    assert [3] == await client.events(1)


@EVERY_SERVER
async def test_what_may_have_been_said_is_unknown_and_under_its_message_id_heard_once(
    nodes, own_server, emitting
):
    client = await member(await nodes(), "red")
    async with Proxy(own_server.port) as proxy, emitting(proxy.url, call_timeout_s=1.0) as emitter:
        await emitter.emit("n", 1, to="red")
        proxy.drops_replies = True
        with pytest.raises(OutcomeUnknown):
            await emitter.emit("n", 2, to="red", message_id="two")
        proxy.drops_replies = False
        proxy.cut()
        await emitter.emit("n", 2, to="red", message_id="two")
        await emitter.emit("n", 3, to="red", message_id="three")

    assert [1, 2, 3] == await client.events(3)


@EVERY_SERVER
async def test_a_server_that_forgot_the_scripts_gets_them_again(own_server, admin, emitting):
    async with emitting(own_server.url) as emitter:
        await emitter.emit("n", 1, to="red")
        await admin.script_flush()
        await emitter.emit("n", 2, to="red")
    assert 2 == await admin.xlen(RED)


@EVERY_SERVER
async def test_after_redis_was_emptied_it_goes_on_and_clients_are_told(nodes, own_server, emitting):
    node = await nodes()
    client = await member(node, "red")
    async with emitting(own_server.url, call_timeout_s=20.0) as emitter:
        await emitter.emit("n", 1, to="red")
        assert [1] == await client.events(1)
        own_server.kill()
        own_server.empty()
        own_server.start()
        await emitter.emit("n", "to nobody")
        assert await client.ended()
        await until(lambda: node.log.is_live)
        await client.connect(node)
        assert not client.recovered
        await emitter.emit("n", 2)
        # The epoch of the emitter's first word may have ended with the gateway's: then it is in neither's way.
        while (await client.event())[1] != 2:
            pass


@EVERY_SERVER
async def test_what_was_acknowledged_to_it_alone_and_is_lost_ends_the_epoch(own_server, emitting):
    async with emitting(own_server.url, call_timeout_s=20.0) as emitter:
        await emitter.emit("n", 1)
        # What was answered is in the files, though not on the disk yet.
        before = own_server.data()
        await emitter.emit("n", 2)
        own_server.kill()
        own_server.restore(before)
        own_server.start()
        await emitter.emit("n", 3)
    async with redis.asyncio.from_url(own_server.url) as admin:
        ends = [value for field, value in (await admin.hgetall("rw:{0}:log")).items() if field[:4] == b"end:"]
        assert any(end.endswith(b" broken") for end in ends)
        assert 2 == await admin.xlen(EVERYBODY)


# -- what is refused


@EVERY_SERVER
async def test_a_wrong_password_is_said_at_once_and_not_shown(own_server, admin, emitting):
    await admin.acl_setuser("wire", enabled=True, passwords=["+right"], commands=["+@all"])
    url = own_server.url.replace("redis://", "redis://wire:wr0ng@")
    async with emitting(url, call_timeout_s=100.0) as emitter:
        with pytest.raises(Unavailable, match="WRONGPASS") as caught:
            await emitter.emit("n", 1)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert "wr0ng" not in str(caught.value)
        # Once it is right, no new emitter is needed.
        await admin.acl_setuser("wire", enabled=True, passwords=["+wr0ng"], keys=["*"], channels=["*"])
        await emitter.emit("n", 2)


@EVERY_SERVER
async def test_missing_rights_are_said_at_once(own_server, admin, emitting):
    await admin.acl_setuser("wire", enabled=True, passwords=["+p"], commands=["+@connection"])
    async with emitting(
        own_server.url.replace("redis://", "redis://wire:p@"), call_timeout_s=100.0
    ) as emitter:
        with pytest.raises(Unavailable, match="NOPERM"):
            await emitter.emit("n", 1)


async def test_without_redis_it_is_unavailable_and_the_cause_says_why(emitting):
    (port,) = free_ports(1)
    async with emitting(f"redis://127.0.0.1:{port}", call_timeout_s=0.3) as emitter:
        with pytest.raises(Unavailable) as caught:
            await emitter.emit("n", 1)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@ONE_SERVER
async def test_a_server_without_memory_refuses_and_a_retry_is_heard(own_server, admin, emitting):
    async with emitting(own_server.url) as emitter:
        await emitter.emit("n", 1)
        await admin.config_set("maxmemory", "1")
        with pytest.raises(Unavailable) as caught:
            await emitter.emit("n", 2)
        assert not isinstance(caught.value, OutcomeUnknown)
        await admin.config_set("maxmemory", "0")
        await emitter.emit("n", 2)
    assert 2 == await admin.xlen(EVERYBODY)


@ONE_SERVER
async def test_what_is_too_large_is_refused_before_anything_is_sent(own_server, admin, emitting):
    async with emitting(own_server.url, max_message_bytes=100) as emitter:
        with pytest.raises(EventTooLarge) as event:
            await emitter.emit("n", "x" * 100)
        with pytest.raises(MessageIdTooLong) as message_id:
            await emitter.emit("n", 1, message_id="x" * 257)
        assert (100, 256) == (event.value.most, message_id.value.most)
        await emitter.emit("n", "x" * 90, message_id="x" * 256)
    assert 1 == await admin.xlen(EVERYBODY)


@ONE_SERVER
async def test_closed_twice_it_is_closed(own_server, admin, emitting):
    emitter = emitting(own_server.url)
    await emitter.close()
    with pytest.raises(EmitterClosed):
        await emitter.emit("n", 0)
    async with emitting(own_server.url) as emitter:
        await emitter.emit("n", 1)
        await emitter.close()
        await emitter.close()
        with pytest.raises(EmitterClosed):
            await emitter.emit("n", 2)
    assert 1 == await admin.xlen(EVERYBODY)
    assert [] == [one for one in await admin.client_list() if one["name"].startswith("roomwire-emitter")]


async def test_who_waits_while_it_is_closed_is_told(emitting):
    (port,) = free_ports(1)
    emitter = emitting(f"redis://127.0.0.1:{port}", call_timeout_s=100.0)
    waiting = asyncio.ensure_future(emitter.emit("n", 1))
    await time_passes(0.1)
    await emitter.close()
    with pytest.raises(Unavailable):
        await waiting


@pytest.mark.parametrize("url", ["memory://", "http://127.0.0.1", "redis://:pass#word@127.0.0.1"])
def test_a_url_of_no_redis_is_refused_when_it_is_made(url, emitting):
    with pytest.raises(ConfigurationError) as caught:
        emitting(url)
    assert "pass" not in str(caught.value).replace("user:password", "")


def test_streams_that_would_vanish_before_sessions_are_refused_when_it_is_made(emitting):
    with pytest.raises(ConfigurationError, match="too short"):
        emitting("redis://127.0.0.1", room_ttl_s=100.0)


def test_twice_the_default_pings_are_covered_by_the_default():
    assert 600.0 >= LogConfig.for_pings(50.0, 40.0).least_room_ttl_s


# -- threads and processes


@ONE_SERVER
async def test_threads_share_an_emitter_and_each_is_heard_in_its_order(own_server, emitting):
    async with world_of(own_server.url) as world:
        gateway = await world.start()
        await gateway.hear(room_stream("/", "red"))

        def speak(name):
            for number in range(100):
                emitter.emit(name, number, to="red")

        with Emitter(own_server.url) as emitter:
            threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            await until(lambda: len(gateway.texts) == 400)
            for thread in threads:
                thread.join()
        for name in "abcd":
            assert [f'["{name}",{number}]' for number in range(100)] == [
                text for text in gateway.texts if name in text
            ]


FORKING = """
import os, sys
from roomwire import Emitter

emitter = Emitter(sys.argv[1])
if sys.argv[2] == "used":
    emitter.emit("n", "parent", to="red")
children = []
for name in "ab":
    if not (child := os.fork()):
        for number in range(3):
            emitter.emit("n", f"{name}{number}", to="red")
        emitter.close()
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
emitter.emit("n", "end", to="red")
emitter.close()
"""


@ONE_SERVER
@pytest.mark.parametrize("was", ["used", "unused"])
async def test_processes_that_were_forked_are_heard_each_for_itself(own_server, was):
    async with world_of(own_server.url) as world:
        gateway = await world.start()
        await gateway.hear(room_stream("/", "red"))
        run = [sys.executable, "-c", FORKING, own_server.url, was]
        await asyncio.to_thread(subprocess.run, run, check=True, timeout=60)
        await until(lambda: gateway.texts and "end" in gateway.texts[-1])
        heard = [re.search(r'"n","(\w+)"', text)[1] for text in gateway.texts]
        assert sorted(
            [*(["parent"] * (was == "used")), *(f"{a}{n}" for a in "ab" for n in range(3)), "end"]
        ) == sorted(heard)


# -- rights, and every home of a Redis


def rights(of):
    """Return the rights that the documentation names."""
    text = (ROOT / "docs" / "redis.md").read_text().split("## Rights")[1]
    return re.search(rf"### {of}\n.*?```\n(.*?)```", text, re.DOTALL)[1].split()


WITH_HISTORY = "An emitter that keeps history"
RIGHTS = [(0, ()), (0, (WITH_HISTORY,)), (1, ("With a database other than 0",))]


@EVERY_SERVER
@pytest.mark.parametrize(("database", "more"), RIGHTS)
async def test_an_emitter_needs_these_rights_and_no_others(own_server, database, more, emitting):
    url = own_server.url.replace("/0", f"/{database}")
    async with redis.asyncio.from_url(url) as admin:
        granted = [right for of in ("An emitter", *more) for right in rights(of)]
        await admin.execute_command("ACL", "SETUSER", "wire", "on", ">p", "-@all", *granted)
        await admin.config_resetstat()
        async with emitting(url.replace("redis://", "redis://wire:p@"), timeout_s=0.3) as emitter:
            await emitter.emit("n", 1)
            await emitter.emit("n", 2, to="red", message_id="x", keeps_history=WITH_HISTORY in more)
            # To one client: whose session is looked for.
            await emitter.emit("n", 3, to=_some_sid())
            await admin.script_flush()
            await emitter.emit("n", 4)
            # As after many failovers.
            await admin.hset("rw:{0}:log", "run", "another", {f"end:{number}": 1 for number in range(70)})
            await admin.client_kill_filter(user="wire")
            await eventually(lambda: _said(emitter))
            # One that has nothing to say shows that it is there.
            await eventually(lambda: _was_used(admin, "ping"))
        stats = await admin.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name in stats}

    assert [] == sorted({one[1:] for one in granted if one[0] == "+"} - used)


def _some_sid():
    from roomwire.log.sessions import new_pid, sid_of

    return sid_of(new_pid())


async def _said(emitter):
    with contextlib.suppress(Unavailable):
        await emitter.emit("n", 5)
        return True


async def _was_used(admin, command):
    return f"cmdstat_{command}" in await admin.info("commandstats")


@EVERY_SERVER
async def test_with_its_rights_it_follows_the_slot_of_a_cluster(redis_binary, tmp_path, emitting):
    async with running(ClusterHome(redis_binary, tmp_path)) as home:
        granted = [*rights("An emitter"), *rights("An emitter in a cluster")]
        for each in home.members:
            await each.ask("ACL", "SETUSER", "wire", "on", ">p", "-@all", *granted)
        async with emitting(
            home.url.replace("cluster://", "cluster://wire:p@"), call_timeout_s=20.0
        ) as emitter:
            await emitter.emit("n", 1)
            await home.move(home.primaries[0], home.primaries[1])
            await emitter.emit("n", 2)
        assert 2 == await home.primaries[1].ask("XLEN", EVERYBODY)


@EVERY_SERVER
async def test_with_its_rights_it_follows_the_primary_that_sentinels_name(redis_binary, tmp_path, emitting):
    async with running(SentinelHome(redis_binary, tmp_path)) as home:
        granted = [*rights("An emitter"), *rights("Behind Sentinels")]
        for each in (home.primary, home.replica):
            await each.ask("ACL", "SETUSER", "wire", "on", ">p", "-@all", *granted)
        url = home.url.replace("sentinel://", "sentinel://wire:p@")
        async with emitting(url, call_timeout_s=60.0) as emitter:
            await emitter.emit("n", 1)
            await home.replicated()
            home.primary.kill()
            await emitter.emit("n", 2)
        assert 2 == await home.replica.ask("XLEN", EVERYBODY)
