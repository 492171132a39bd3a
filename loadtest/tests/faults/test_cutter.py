"""The proxy whose network can be taken away."""

import asyncio
import contextlib
import gc
import socket

import pytest

from roomwire_loadtest.faults.cutter import HOST, run_cutters


async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def test_it_forwards_then_cuts_then_refuses_then_forwards_again_on_the_same_port():
    async with (
        await asyncio.start_server(echo, HOST, 0) as server,
        run_cutters(server.sockets[0].getsockname()[1], 1) as [cutter],
    ):
        reader, writer = await asyncio.open_connection(HOST, cutter.port)
        writer.write(b"one")
        assert b"one" == await reader.readexactly(3)
        await cutter.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        assert 1 == cutter.cuts
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, cutter.port)
        await cutter.attach()
        reader, writer = await asyncio.open_connection(HOST, cutter.port)
        writer.write(b"two")
        assert b"two" == await reader.readexactly(3)
        writer.close()


async def test_a_connection_that_comes_in_the_turn_of_a_cut_is_not_forgotten_open():
    async with await asyncio.start_server(echo, HOST, 0) as server:
        for turns in range(100):
            async with run_cutters(server.sockets[0].getsockname()[1], 1) as [cutter]:
                for _ in range(turns % 3):
                    await asyncio.sleep(0)
                clients = [begun(cutter.port) for _ in range(2)]
                for _ in range(turns % 4):
                    await asyncio.sleep(0)
            for client in clients:
                client.close()
            # A socket that nothing closes is reported when it is collected.
            gc.collect()


def begun(port):
    """Begin to connect, and do not wait for it."""
    client = socket.socket()
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((HOST, port))
    return client
