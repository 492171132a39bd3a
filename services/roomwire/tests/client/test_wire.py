"""What the Python clients send and take, byte by byte, with a server that follows a script."""

import asyncio
import contextlib
import json
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest
import websockets
from python_clients import KINDS, PythonClient
from waiting import until

pytestmark = [pytest.mark.parametrize("kind", KINDS), pytest.mark.usefixtures("starts_servers")]

OPEN = '0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'

GO = '42["go"]'

RESET = "RST"


class Script:
    """A server that plays one list of frames for each connection, and notes the CONNECT packets and the acks that it gets.

    A frame of None waits for a packet, and `GO` for the client's word that it is connected. `RESET` lets the end of the connection
    arrive as a reset. After its last frame, the server closes the connection, or waits if it is the last one.
    """

    def __init__(self, *connections):
        self._connections = list(connections)
        self.urls = []
        self.got = []

    @contextlib.asynccontextmanager
    async def played(self):
        self._end = asyncio.Event()
        async with websockets.serve(self._play, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            self._end.set()

    async def _play(self, socket):
        self.urls.append(socket.request.path)
        frames = self._connections.pop(0)
        await socket.send(OPEN)
        for frame in frames:
            if frame is GO:
                while await socket.recv() != GO:
                    pass
            elif frame is RESET:
                at_once = struct.pack("ii", 1, 0)
                socket.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, at_once)
            elif frame is None:
                self.got.append(await socket.recv())
            else:
                await socket.send(frame)
        if self._connections:
            socket.transport.abort()
            return
        with contextlib.suppress(websockets.ConnectionClosed):
            while not self._end.is_set():
                self.got.append(await socket.recv())


@contextlib.asynccontextmanager
async def playing(kind, *connections, auth=None, **options):
    async with Script(*connections).played() as script:
        person = PythonClient(kind, **options)
        await person.connect(script.port, transports=["websocket"], auth=auth)
        await person.do("emit", "go")
        try:
            yield script, person
        finally:
            await person.close()


def sent(text):
    return text[:2], json.loads(text[2:] or "{}")


ACCEPTED = (None, '40{"sid":"s","pid":"p"}')


async def test_a_connect_has_the_secret_and_the_offset_after_a_drop_and_the_application_s_values_win(kind):
    event = '42["n",1,"o-1"]'
    async with playing(kind, [*ACCEPTED, GO, event], ACCEPTED, auth={"token": "t", "offset": "mine"}) as (
        script,
        person,
    ):
        await person.again(2)

        first, second = map(sent, script.got[:2])
        assert ("40", {"token": "t", "offset": "mine"}) == first
        assert ("40", {"pid": "p", "offset": "mine", "token": "t"}) == second
        assert all("recovery=1" in url for url in script.urls)


async def test_the_offset_is_the_last_text_of_an_event_without_an_ack_and_of_no_other(kind):
    events = (
        '42["n","a","o-1"]',
        '451-["n",{"_placeholder":true,"num":0},"o-2"]',
        b"x",
        '42["n","o-3"]',
        '421["n","y"]',
    )
    async with playing(kind, [*ACCEPTED, GO, *events, None], ACCEPTED) as (script, person):
        await person.has(("n", "a"), ("n", b"x"), ("n",), ("n", "y"))
        await person.again(2)

        assert ["40{}", "431[]", '40{"pid":"p","offset":"o-3"}'] == script.got


async def test_without_a_secret_an_event_keeps_its_last_text(kind):
    async with playing(kind, [None, '40{"sid":"s"}', GO, '42["n","o-1"]'], [None, '40{"sid":"s"}']) as (
        script,
        person,
    ):
        await person.again(2)
        await person.has(("n", "o-1"))

        assert ["40{}", "40{}"] == script.got
        assert not person.client.recovered


async def test_a_new_secret_is_a_new_session_without_an_offset(kind):
    other = [None, '40{"sid":"s2","pid":"q"}']
    async with playing(kind, [*ACCEPTED, GO, '42["n","o-1"]'], other, other) as (script, person):
        await person.again(3)

        assert ["40{}", '40{"pid":"p","offset":"o-1"}', '40{"pid":"q"}'] == script.got
        assert [("/", "s", False), ("/", "s2", False), ("/", "s2", True)] == person.connects
        assert person.client.recovered


async def test_a_close_of_the_server_is_a_lost_connection(kind):
    async with playing(kind, [*ACCEPTED, GO, "1"], ACCEPTED) as (script, person):
        await person.again(2)

        assert ["40{}", '40{"pid":"p"}'] == script.got
        assert person.client.recovered


async def test_a_connection_that_is_reset_leaves_no_socket_open(kind):
    async with playing(kind, [*ACCEPTED, GO, RESET], ACCEPTED) as (_, person):
        connection = person.client.eio.ws
        await person.again(2)

        assert connection is not person.client.eio.ws
        await until(lambda: connection.closed if kind == "async" else connection.sock is None)


async def test_a_connection_that_is_lost_before_its_answer_is_tried_again(kind):
    async with playing(kind, [*ACCEPTED, GO], [None], [], ACCEPTED) as (script, person):
        await person.again(2)

        assert ["40{}", *['40{"pid":"p"}'] * (len(script.got) - 1)] == script.got
        assert person.client.recovered


async def test_a_namespace_that_was_answered_keeps_its_session_though_the_attempt_failed(kind):
    both = [None, None, '40{"sid":"s","pid":"p"}', '40/den,{"sid":"d","pid":"r"}']
    half = [None, None, '40{"sid":"s","pid":"p"}', '42["n",1,"o-1"]']
    async with playing(kind, [*both, GO], half, both, namespaces=("/", "/den")) as (script, person):
        await until(lambda: len(script.urls) == 3 and person.client.connected)

        said = [text for text in script.got if not text.startswith("40/den,")]
        assert ["40{}", '40{"pid":"p"}', '40{"pid":"p","offset":"o-1"}'] == said
        assert person.client.recovered
        assert [("n", 1)] == person.got


async def test_packets_that_are_read_together_are_handled_in_order(kind):
    events = [f'42["n",{number},"o-{number}"]' for number in range(300)]
    async with playing(kind, [*ACCEPTED, GO, *events, None], ACCEPTED) as (script, person):
        await person.has(*(("n", number) for number in range(300)))
        await person.do("emit", "done")
        await person.again(2)

        assert '40{"pid":"p","offset":"o-299"}' == script.got[-1]
