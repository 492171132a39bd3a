"""What a client does on both servers, where what it gets is meant to differ."""

import asyncio
import contextlib

from differential.harness import SERVERS, idle, make, peer_of
from websockets.exceptions import ConnectionClosed


async def differs(act, write=lambda server: None, **options):
    """Return what an act brings on stock and on ours; ours is the same in both ways it is served."""
    outcomes = []
    for kind in SERVERS:
        server = make(kind, **options)
        write(server)
        async with peer_of(kind, server) as peer:
            peer.server = server
            outcomes.append(await act(peer))
    stock, fast, asgi = outcomes
    assert fast == asgi
    return stock, fast


async def got(socket):
    """Return what has been sent to a client until now, ids left out, and `closed` if that was all.

    The first pong says that the server has read what came before, the second one that we have got what it wrote.
    """
    with contextlib.suppress(ConnectionClosed):
        await (await socket.ping())
        await idle()
        await (await socket.ping())
    packets = []
    while True:
        try:
            async with asyncio.timeout(0):
                packet = await socket.recv()
        except TimeoutError:
            return packets
        except ConnectionClosed:
            return [*packets, "closed"]
        is_reply = isinstance(packet, str) and packet.startswith("40") and '"sid"' in packet
        packets.append(packet.partition("{")[0] if is_reply else packet)


def says(*packets):
    """Return an act: what comes when a client sends these packets on a new connection, one after the other."""

    async def act(peer):
        answers = []
        async with peer.websocket() as socket:
            await socket.recv()
            for packet in packets:
                await socket.send(packet)
                answers += await got(socket)
                if answers[-1:] == ["closed"]:
                    break
            return answers

    return act
