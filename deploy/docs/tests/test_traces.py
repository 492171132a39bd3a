"""The program of the page about traces, on two gateways over Redis: the trace is the one that the page shows."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys

import documents
import httpx
import pytest
import socketio
from documents import ROOT
from waiting import until

PAGE = ROOT / "docs" / "tracing.md"
START_S = 60
NODES = ("one", "two")


@contextlib.asynccontextmanager
async def serving(folder, name, port, environ):
    """Run a gateway with the page's program until it has stopped."""
    log = folder / f"{name}.log"
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "roomwire", "serve", "traced:app"),
            cwd=folder,
            env={**os.environ, **environ, "ROOMWIRE_NODE_NAME": name, "ROOMWIRE_PORT": str(port)},
            stdout=out,
            stderr=out,
        )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers():
                assert process.returncode is None, log.read_text()
                with contextlib.suppress(httpx.TransportError):
                    return await http.get(f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling")
                return None

            await until(answers, within_s=START_S)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


@pytest.fixture
def environ(own_redis):
    """The settings of the page, with this test's Redis and any ports."""
    (line,) = re.findall(r"^export (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    settings = dict(word.split("=", 1) for word in line.split())
    assert {"ROOMWIRE_TRACING", "ROOMWIRE_AUTH_MODE", "ROOMWIRE_REDIS_URL"} == settings.keys()
    return {
        **settings,
        "ROOMWIRE_REDIS_URL": own_redis.url,
        "ROOMWIRE_OPS_PORT": "0",
        "ROOMWIRE_DRAIN_S": "0",
        "ROOMWIRE_LOG_FORMAT": "json",
    }


def spans(folder, name):
    """Return the complete lines that a gateway has written."""
    whole, _, _ = (folder / f"{name}.spans").read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


async def test_the_program_of_the_page_makes_the_trace_of_the_page(tmp_path, environ, free_port_factory):
    (program,) = documents.programs(PAGE, "python")
    (tmp_path / "traced.py").write_text(program, encoding="utf-8")
    ports = [free_port_factory(), free_port_factory()]
    async with contextlib.AsyncExitStack() as stack:
        for name, port in zip(NODES, ports, strict=True):
            await stack.enter_async_context(serving(tmp_path, name, port, environ))
        ann, ben = [await connected(stack, port) for port in ports]

        assert "ok" == await ann.call("say", "darn it")
        assert ["said", "**** it"] == (await ben.receive(timeout=START_S))[:2]
    one, two = (spans(tmp_path, name) for name in NODES)

    (event,) = [span for span in one if span["name"] == "process /"]
    trace = event["context"]["trace_id"]
    found = {
        (span["name"], node, span["parent_id"]): span["context"]["span_id"]
        for node, made in zip(NODES, (one, two), strict=True)
        for span in made
        if span["context"]["trace_id"] == trace
    }
    root = found["process /", "one", None]
    sent = found["send /", "one", root]
    assert {
        ("process /", "one", None),
        ("look for bad words", "one", root),
        ("send /", "one", root),
        ("deliver /", "one", sent),
        ("deliver /", "two", sent),
    } == found.keys()
    assert {"one", "two"} == {span["resource"]["attributes"]["service.instance.id"] for span in [*one, *two]}
    opened = [
        json.loads(line)
        for line in (tmp_path / "one.log").read_text().splitlines()
        if '"connection opened"' in line
    ]
    connects = {span["context"]["trace_id"] for span in one if span["name"] == "connect /"}
    assert {line["trace_id"] for line in opened} == {one.removeprefix("0x") for one in connects}


async def connected(stack, port):
    client = socketio.AsyncSimpleClient()
    await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    stack.push_async_callback(client.disconnect)
    return client
