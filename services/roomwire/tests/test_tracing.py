"""Spans: of what, in which trace over several nodes, and that there is nothing of them where they are off or not sampled."""

import logging
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from roomwire import App, Gateway, Reply, Server, Socket, logs, subscribe
from roomwire.errors import Forbidden
from roomwire.log.sessions import new_pid
from roomwire.recovery.decisions import Refusal
from roomwire.rooms.delivery import Delivery
from roomwire.testing import Refused
from roomwire.tracing import Tracing


class Talk(Gateway):
    async def on_connection(self, socket: Socket) -> None:
        if socket.user.id == "mallory":
            raise Forbidden("Not you.")
        await socket.join("den")

    @subscribe("say")
    async def say(self, socket: Socket, text: str) -> str:
        await self.emit("said", text, to="den")
        # A new logger each time: others keep how the first test that logged had set them up.
        logs.get_logger("talk").info("said", length=len(text))
        logging.getLogger("library").info("heard")
        return "ok"

    @subscribe("wave")
    async def wave(self) -> None:
        await self.emit("waved", to="den", volatile=True)

    @subscribe("look")
    def look(self) -> str:
        return "a den"

    @subscribe("count")
    async def count(self) -> AsyncIterator[Reply]:
        yield Reply("number", 1)

    @subscribe("refuse")
    async def refuse(self) -> None:
        raise Forbidden("Never.")

    @subscribe("break")
    async def fail(self) -> None:
        raise OSError("away")


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


def tracing_to(exporter, sampler=ALWAYS_ON):
    provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider)


@pytest.fixture
def tracing(exporter):
    return tracing_to(exporter)


def named(exporter, name):
    return [span for span in exporter.get_finished_spans() if span.name == name]


async def test_a_trace_leads_from_an_event_by_its_publish_to_the_deliveries_on_all_nodes(
    nodes, exporter, tracing
):
    async with nodes(Talk, count=2, tracing=tracing) as cluster:
        ann = await cluster.connect("ann", node=0)
        bob, cat = await cluster.connect("bob", node=1), await cluster.connect("cat", node=1)
        exporter.clear()
        await ann.call("say", "hi")
        assert ["hi"] * 3 == [await client.next("said") for client in (ann, bob, cat)]

        (event,) = named(exporter, "process /")
        (publish,) = named(exporter, "send /")
        deliveries = named(exporter, "deliver /")
        assert event.parent is None
        assert publish.parent.span_id == event.context.span_id
        assert [publish.context.span_id] * 2 == [span.parent.span_id for span in deliveries]
        assert {event.context.trace_id} == {span.context.trace_id for span in exporter.get_finished_spans()}
        assert [1, 2] == sorted(span.attributes["messaging.batch.message_count"] for span in deliveries)


async def test_kinds_and_attributes_are_those_of_the_conventions(nodes, exporter, tracing):
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("say", "hi")
        await ann.next("said")

        common = {"messaging.system": "roomwire", "messaging.destination.name": "/"}
        assert {
            "connect /": (SpanKind.SERVER, {**common, "messaging.operation.name": "connect"}),
            "process /": (
                SpanKind.CONSUMER,
                {
                    **common,
                    "messaging.operation.name": "process",
                    "messaging.operation.type": "process",
                    "roomwire.event": "say",
                },
            ),
            "send /": (
                SpanKind.PRODUCER,
                {
                    **common,
                    "messaging.operation.name": "send",
                    "messaging.operation.type": "send",
                    "roomwire.event": "said",
                },
            ),
            "deliver /": (
                SpanKind.CONSUMER,
                {
                    **common,
                    "messaging.operation.name": "deliver",
                    "messaging.operation.type": "process",
                    "messaging.batch.message_count": 1,
                },
            ),
        } == {span.name: (span.kind, dict(span.attributes)) for span in exporter.get_finished_spans()}
        scopes = {span.instrumentation_scope.schema_url for span in exporter.get_finished_spans()}
        assert {"https://opentelemetry.io/schemas/1.45.0"} == scopes


async def test_a_recovery_is_linked_to_the_publishes_of_what_it_replays(nodes, exporter, tracing):
    async with nodes(Talk, count=2, tracing=tracing) as cluster:
        ann, bob = await cluster.connect("ann", node=0), await cluster.connect("bob", node=0)
        ann.cut()
        await bob.call("say", "one")
        await bob.call("say", "two")
        publishes = [span.context for span in named(exporter, "send /")]
        await ann.back(node=1)
        assert ["one", "two"] == [await ann.next("said") for _ in range(2)]

        (recovery,) = named(exporter, "recover /")
        *_, connection = named(exporter, "connect /")
        assert recovery.parent.span_id == connection.context.span_id
        assert [(one.trace_id, one.span_id) for one in publishes] == [
            (link.context.trace_id, link.context.span_id) for link in recovery.links
        ]
        assert SpanKind.CONSUMER is recovery.kind
        assert {
            "messaging.system": "roomwire",
            "messaging.destination.name": "/",
            "messaging.operation.name": "recover",
            "messaging.operation.type": "receive",
            "messaging.batch.message_count": 2,
        } == dict(recovery.attributes)


async def test_a_recovery_that_is_refused_says_why(nodes, exporter, tracing):
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann", auth={"pid": new_pid()})

        assert not ann.recovered
        (recovery,) = named(exporter, "recover /")
        assert Refusal.GONE == recovery.attributes["roomwire.refusal"]
        assert StatusCode.UNSET is recovery.status.status_code


async def test_nothing_of_a_recovery_is_linked_that_was_not_sampled(nodes, exporter, tracing):
    async with nodes(Talk, tracing=tracing_to(exporter, ALWAYS_OFF)) as cluster:
        ann, bob = await cluster.connect("ann"), await cluster.connect("bob")
        ann.cut()
        await bob.call("say", "one")
        await ann.back()
        assert "one" == await ann.next("said")
    assert () == exporter.get_finished_spans()


async def test_the_receivers_of_a_sampled_entry_are_looked_up_once(nodes, exporter, tracing, monkeypatch):
    looked_up = []
    audience = Delivery._audience

    def noted(self, stream, message):
        looked_up.append(message.trace)
        return audience(self, stream, message)

    monkeypatch.setattr(Delivery, "_audience", noted)
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann")
        for event, heard in (("say", "said"), ("wave", "waved")):
            await (ann.call(event, "hi") if event == "say" else ann.call(event))
            await ann.next(heard)
    assert 2 == len([trace for trace in looked_up if trace])


async def test_what_is_not_sampled_leaves_no_trace_in_the_log(nodes, exporter, monkeypatch):
    traces = []
    on_entry = Delivery.on_entry

    def noted(self, entry):
        traces.append(entry.message.trace)
        on_entry(self, entry)

    monkeypatch.setattr(Delivery, "on_entry", noted)
    async with nodes(Talk, tracing=tracing_to(exporter, ALWAYS_OFF)) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("say", "hi")
        assert "hi" == await ann.next("said")
    assert [()] == traces
    assert () == exporter.get_finished_spans()


async def test_volatile_events_and_streams_of_replies_are_in_the_trace_as_well(nodes, exporter, tracing):
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann")
        for event, heard in (("wave", "waved"), ("count", "number")):
            exporter.clear()
            await ann.call(event)
            await ann.next(heard)
            await cluster.settle()
            spans = {span.name: span for span in exporter.get_finished_spans()}

            assert {"process /", "send /", "deliver /"} == set(spans)
            assert heard == spans["send /"].attributes["roomwire.event"]
            assert spans["send /"].parent.span_id == spans["process /"].context.span_id
            assert spans["deliver /"].parent.span_id == spans["send /"].context.span_id


async def test_a_refusal_has_its_code_and_a_defect_its_exception(nodes, exporter, tracing):
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann")
        assert "a den" == await ann.call("look")
        with pytest.raises(Refused):
            await cluster.connect("mallory")
        with pytest.raises(Refused):
            await ann.call("refuse")
        async with cluster.expects(OSError):
            with pytest.raises(Refused):
                await ann.call("break")

        _, refused = named(exporter, "connect /")
        fine, forbidden, broken = named(exporter, "process /")
        assert [StatusCode.UNSET, StatusCode.ERROR, StatusCode.ERROR, StatusCode.ERROR] == [
            span.status.status_code for span in (fine, forbidden, broken, refused)
        ]
        assert ["forbidden", "internal", "forbidden"] == [
            span.attributes["error.type"] for span in (forbidden, broken, refused)
        ]
        assert [0, 1] == [len(span.events) for span in (forbidden, broken)]


async def test_functions_that_handle_events_have_spans_too(nodes, exporter, tracing):
    server = Server()

    @server.on("say")
    async def say(sid, text):
        await server.emit("said", text)
        return "ok"

    async with nodes(App(server=server), tracing=tracing) as cluster:
        ann = await cluster.connect("ann")
        assert "ok" == await ann.call("say", "hi")
        await ann.next("said")

        (event,), (publish,) = named(exporter, "process /"), named(exporter, "send /")
        assert "say" == event.attributes["roomwire.event"]
        assert publish.parent.span_id == event.context.span_id


async def test_a_trace_context_of_a_client_is_not_taken(nodes, exporter, tracing):
    known = "0af7651916cd43dd8448eb211c80319c"
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann", headers={"traceparent": f"00-{known}-b7ad6b7169203331-01"})
        await ann.call("say", "hi")
        await ann.next("said")

        assert int(known, 16) not in {span.context.trace_id for span in exporter.get_finished_spans()}


async def test_lines_within_a_span_have_its_ids(nodes, exporter, tracing, traced_log_lines):
    async with nodes(Talk, tracing=tracing) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("say", "hi")
        await ann.next("said")
    logs.get_logger("talk").info("no span")

    (event,) = named(exporter, "process /")
    lines = {line["event"]: line for line in traced_log_lines()}
    ids = (f"{event.context.trace_id:032x}", f"{event.context.span_id:016x}")
    assert [ids, ids] == [(line["trace_id"], line["span_id"]) for line in (lines["said"], lines["heard"])]
    assert not {"trace_id", "span_id"} & lines["no span"].keys()


OFF = """
import builtins

imported, original = [], builtins.__import__

def noting(name, globals=None, *others, **named):
    importer = (globals or {}).get("__name__", "")
    if name.startswith("opentelemetry") and importer.startswith("roomwire"):
        imported.append(importer)
    return original(name, globals, *others, **named)

builtins.__import__ = noting
from roomwire import Gateway, Server, subscribe
from roomwire.tracing import Tracing
from roomwire.testing import Cluster
import roomwire.app.app

class Talk(Gateway):
    @subscribe("say")
    async def say(self, text: str) -> str:
        await self.emit("said", text)
        return text

server = Server()
server.register_namespace(Talk("/"))
print(imported)
Tracing()
print(imported)
"""
MISSING = """
import sys
sys.modules["opentelemetry"] = None
from roomwire.errors import ConfigurationError
from roomwire.tracing import Tracing
try:
    Tracing()
except ConfigurationError as error:
    print(error)
"""


@pytest.fixture
def starts_process(starts_servers):
    """It runs Python."""


def said_by(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_roomwire_does_not_import_opentelemetry_before_there_is_a_tracing(starts_process):
    off, on = said_by(OFF).splitlines()

    assert "[]" == off
    assert "roomwire.tracing" in on


def test_without_its_api_the_sentence_says_what_to_install(starts_process):
    assert "roomwire[tracing]" in said_by(MISSING)


async def test_the_name_of_a_span_is_that_of_the_pattern_and_its_attribute_that_of_the_namespace(
    nodes, exporter, tracing
):
    class Tenant(Gateway, namespace="/tenant-{tenant}"):
        @subscribe("look")
        def look(self, tenant: int) -> int:
            return tenant

    async with nodes(Tenant, tracing=tracing) as cluster:
        client = await cluster.connect("ann", namespace="/tenant-7")
        assert 7 == await client.call("look")

    spans = exporter.get_finished_spans()
    assert {"connect /tenant-{tenant}", "process /tenant-{tenant}"} == {each.name for each in spans}
    assert {("/tenant-7", "/tenant-{tenant}")} == {
        (each.attributes["messaging.destination.name"], each.attributes["messaging.destination.template"])
        for each in spans
    }
