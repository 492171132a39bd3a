"""Asks for a story, and goes on after the last token if its gateway dies. Usage: python tell.py URL LENGTH."""

import asyncio
import sys

from roomwire.client import AsyncClient


async def main(url: str, length: int) -> None:
    """Print the story as it comes."""
    client = AsyncClient()
    tokens: list[str] = []
    attempt = 0
    is_connected = asyncio.Event()
    answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    @client.on("connect")
    async def connected() -> None:
        is_connected.set()

    @client.on("disconnect")
    async def disconnected(_: str) -> None:
        # The connection was lost before the ack, perhaps with the handler.
        is_connected.clear()
        answer.cancel()

    @client.on("gateway")
    async def gateway(name: str) -> None:
        if attempt <= 1:
            print(f"held by gateway {name}", flush=True)

    @client.on("token")
    async def token(of: int, text: str) -> None:
        # What is left of an earlier attempt does not count: the handler was asked for it again.
        if of == attempt:
            tokens.append(text)
            print(text, end="", flush=True)

    await client.connect(url, transports=["websocket"])
    while not answer.done() or answer.cancelled():
        await is_connected.wait()
        answer = asyncio.get_running_loop().create_future()
        attempt += 1
        body = {"length": length, "attempt": attempt, "have": len(tokens)}
        await client.emit("tell", body, callback=answer.set_result)
        await asyncio.wait([answer])
    print(f"\nattempts: {attempt}")
    await client.disconnect()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
