"""The programs that documents show run as they stand there, each on a port that is free here."""

import asyncio
import re
import subprocess
import sys

import documents
import httpx
import pytest
import socketio
from documents import ROOT
from waiting import until

README = ROOT / "README.md"
GATEWAYS = ROOT / "docs" / "gateways.md"
NODES = ROOT / "docs" / "nodes.md"
END_S = 30
MAX_LINES = 20


def program(document, mark):
    (found,) = [code for code in documents.programs(document, "python") if mark in code]
    return found


def begin(code, path):
    path.write_text(code, encoding="utf-8")
    return subprocess.Popen([sys.executable, path], cwd=path.parent, stderr=subprocess.PIPE)


def run(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=END_S, check=False
    )


@pytest.fixture
def serve(tmp_path, starts_servers):
    """Return what runs a server's program and waits until it answers; the program ends with the test."""
    running = []

    async def start(code, port):
        process = begin(code, tmp_path / f"server{len(running)}.py")
        running.append(process)
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers():
                assert process.poll() is None, process.stderr.read().decode()
                try:
                    return await http.get(f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling")
                except httpx.TransportError:
                    return None

            await until(answers, within_s=END_S)

    yield start
    for process in running:
        process.terminate()
        process.wait(END_S)
        process.stderr.close()


async def test_the_readmes_two_clients_talk_on_the_readmes_server(serve, free_port, tmp_path):
    await serve(program(README, "class Chat(Gateway)").replace("port=8000", f"port={free_port}"), free_port)
    clients = program(README, "SimpleClient").replace("localhost:8000", f"127.0.0.1:{free_port}")

    done = await asyncio.to_thread(run, clients, tmp_path)

    assert "joined den\njoined den\ndelivered\n['said', 'Hello, Ben!']\n" == done.stdout, done.stderr
    printed = re.search(r"They print (.*?)\. A body", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert ["joined den", "delivered", "['said', 'Hello, Ben!']"] == re.findall(r"`([^`]+)`", printed)


def test_the_readmes_server_takes_twenty_lines():
    lines = [line for line in program(README, "class Chat(Gateway)").splitlines() if line.strip()]

    assert MAX_LINES >= len(lines)


async def test_the_documented_gateway_runs_on_the_documented_server(serve, free_port):
    server = program(GATEWAYS, "uvicorn.run(app, ws=fast_websocket").replace(
        "uvicorn.run(app, ", f"uvicorn.run(app, port={free_port}, "
    )
    before, app, after = server.partition("app = socketio.ASGIApp(server)")
    gateway = program(GATEWAYS, "class ChatGateway(Gateway)")
    await serve(f'{gateway}\n{before}server.register_namespace(ChatGateway("/"))\n{app}{after}', free_port)

    async with socketio.AsyncSimpleClient() as client:
        await client.connect(f"http://127.0.0.1:{free_port}")
        assert (await client.receive(timeout=END_S))[0] == "welcome"
        assert "Joined room den" == await client.call("joinRoom", {"roomId": "den", "userName": "Ann"})
        refused = await client.call("joinRoom", {"roomId": 1, "userName": "Ann"})
    text = GATEWAYS.read_text(encoding="utf-8")
    assert refused["error"]["message"] in text
    assert refused["error"]["code"] == "invalid_body"


async def test_two_documented_nodes_share_their_rooms(serve, free_port_factory, redis_url):
    ports = [free_port_factory(), free_port_factory()]
    for number, port in enumerate(ports, 1):
        node = program(NODES, "open_log(").replace("redis://127.0.0.1:6379/0", redis_url)
        node = node.replace("node-1", f"node-{number}").replace("port=8000", f"port={port}")
        joins = """
@server.on("join")
async def join(sid, room):
    await server.enter_room(sid, room)

@server.on("say")
async def say(sid, room):
    await server.emit("said", "Hello!", to=room)

app = """
        await serve(node.replace("\napp = ", joins, 1), port)

    async with socketio.AsyncSimpleClient() as ann, socketio.AsyncSimpleClient() as ben:
        for client, port in zip((ann, ben), ports, strict=True):
            await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
            await client.call("join", "den")
        await ann.call("say", "den")
        assert ["said", "Hello!"] == (await ben.receive(timeout=END_S))[:2]


async def test_a_documented_node_with_a_history_reads_it(serve, free_port, redis_url):
    made = r"^server = .*\napp = .*\n"
    node, found = re.subn(
        made, lambda _: program(NODES, "open_history("), program(NODES, "open_log("), flags=re.MULTILINE
    )
    node = node.replace("redis://127.0.0.1:6379/0", redis_url).replace("port=8000", f"port={free_port}")
    board = program(GATEWAYS, "keeps_history=Keep(entry=card")
    await serve(
        node.replace("\napp = ", f'\n{board}\nserver.register_namespace(Board("/"))\napp = '), free_port
    )
    card = {"id": "1", "column": "done"}

    async with socketio.AsyncSimpleClient() as ann:
        await ann.connect(f"http://127.0.0.1:{free_port}", transports=["websocket"])
        await ann.call("move", card)

        assert [card] == await ann.call("moves")
    assert 1 == found


async def test_the_documented_calls_to_all_nodes_work(serve, free_port):
    calls = program(NODES, "fetch_sockets")
    indented = "".join(f"    {line}" for line in calls.splitlines(keepends=True))
    server = f"""
import socketio
import uvicorn
from roomwire import Server

server = Server()

@server.on("try")
async def try_them(sid):
    await server.enter_room(sid, "red")
{indented.replace('to="red", timeout_s=10', 'to="empty", timeout_s=1')}
    return found.is_complete, found.total, acks.is_timed_out, sorted(server.rooms(sid))

uvicorn.run(socketio.ASGIApp(server), port={free_port}, log_level="warning")
"""
    await serve(server, free_port)

    async with socketio.AsyncSimpleClient() as client:
        await client.connect(f"http://127.0.0.1:{free_port}")
        is_complete, clients, is_timed_out, rooms = await client.call("try", timeout=END_S)

    assert (True, 1, False) == (is_complete, clients, is_timed_out)
    assert {"red", "blue"} <= {*rooms}
