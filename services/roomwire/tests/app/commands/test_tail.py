"""`roomwire tail` against gateways in processes of their own: what is printed, and what is said when a session is lost."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import pytest
import websockets
from live import Client
from service_process import running
from waiting import until

from roomwire.app.commands.line import run_command
from roomwire.log.positions import Offset, Position, new_epoch
from roomwire_local.free_ports import free_port

BOARD = """
from roomwire import App, Gateway, Socket, subscribe


class Board(Gateway):
    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> str:
        await socket.join(room)
        return f"joined {room}"

    @subscribe("say")
    async def say(self, text: str) -> None:
        await self.emit("said", (text, b"raw"), to="den")


app = App(Board)
"""
JOIN = '["join", "den"]'
OFFSET = str(Offset(new_epoch(), Position(3)))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "board.py").write_text(BOARD)
    return tmp_path


@contextlib.asynccontextmanager
async def tailing(folder, *arguments):
    """Run the command; yields its process, and functions that return what it has printed where."""
    out, err = folder / "out", folder / "err"
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "roomwire", "tail", *arguments, env=own, stdout=stdout, stderr=stderr
        )
    try:
        yield (
            process,
            lambda: [json.loads(line) for line in out.read_text().splitlines()],
            err.read_text,
        )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def serving(folder, port):
    return running(
        "board:app",
        folder / "log",
        served=folder,
        port=port,
        node_name="north",
        redis_url="memory://",
        auth_mode="off",
    )


async def test_events_and_acknowledgements_are_lines_of_json_and_a_lost_session_is_said(
    folder, starts_servers
):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        async with serving(folder, port):
            process, lines, said = await stack.enter_async_context(tailing(folder, url, "--emit", JOIN))
            await until(lines, within_s=30)
            async with Client.connected(f"127.0.0.1:{port}") as ann:
                await ann.emit("say", "hello")
            await until(lambda: 2 == len(lines()))

        await until(lambda: "disconnected" in said(), within_s=30)
        async with serving(folder, port):
            await until(lambda: "not recovered" in said(), within_s=30)
            # The room is joined again, as the session is a new one.
            await until(lambda: 3 == len(lines()))
            process.send_signal(signal.SIGINT)
            assert 0 == await process.wait()

    joined, event, again = lines()
    assert ("join", ["joined den"]) == (joined["ack"], joined["args"])
    # Bytes are base64; the offset that recovery needs is no argument.
    assert ("said", ["hello", "cmF3"]) == (event["event"], event["args"])
    assert event["time"] > joined["time"]
    assert joined["args"] == again["args"]
    assert said().startswith("connected on north as ")
    assert "not recovered: a new session begins on north, and" in said()


async def test_without_recovery_an_argument_that_looks_like_an_offset_is_an_argument(
    tmp_path, starts_servers
):
    async def serve(client):
        await client.send('0{"sid":"a","pingInterval":25000,"pingTimeout":20000}')
        await client.recv()
        await client.send('40{"sid":"b"}')
        await client.send(f'42["said","{OFFSET}"]')
        await client.wait_closed()

    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with tailing(tmp_path, f"http://127.0.0.1:{port}", "--count", "1") as (process, lines, said):
            assert 0 == await process.wait()

    # Another server's ids name no gateway.
    assert "connected as b\n" == said()
    assert [["said", [OFFSET]]] == [[line["event"], line["args"]] for line in lines()]


async def test_a_refused_client_ends_with_the_servers_sentence(folder, starts_servers):
    (folder / "board.py").write_text(
        BOARD.replace(
            "app = App(Board)",
            "from roomwire.errors import Forbidden\n\n\nasync def nobody(handshake):\n"
            "    raise Forbidden('Closed today.')\n\n\napp = App(Board, authenticate=nobody)",
        )
    )
    port = free_port()
    async with serving(folder, port), tailing(folder, f"http://127.0.0.1:{port}") as (process, lines, said):
        assert 1 == await process.wait()

    assert ([], "roomwire: the server refuses the connection: Closed today. (forbidden)\n") == (
        lines(),
        said(),
    )


def test_a_server_that_cannot_be_reached_is_a_sentence(capsys, starts_servers):
    assert 1 == run_command(["tail", "http://127.0.0.1:1"])
    assert capsys.readouterr().err.startswith("roomwire: http://127.0.0.1:1 cannot be reached by Socket.IO: ")


@pytest.mark.parametrize("wrong", ["join", "{}", "[]", "[1]"])
def test_what_is_no_event_is_a_wrong_use(wrong, capsys):
    assert 2 == run_command(["tail", "http://127.0.0.1:1", "--emit", wrong])
    assert "write a JSON array of an event's name and its arguments" in capsys.readouterr().err


def test_a_token_and_a_guest_are_two_clients(capsys):
    assert 2 == run_command(["tail", "http://127.0.0.1:1", "--guest", "--token", "x"])
    assert "not both" in capsys.readouterr().err
