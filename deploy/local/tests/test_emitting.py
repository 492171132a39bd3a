"""What a process that is no gateway says by Redis is heard by the chat's clients, as docs/nodes.md shows it."""

import contextlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "nodes.md").read_text(encoding="utf-8")


def example(port: int) -> str:
    """Return the page's example, for the system on a port."""
    code = re.search(r"## Emitting from elsewhere\n.*?```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    assert ".local/3000/" in code[1]
    return code[1].replace(".local/3000/", f".local/{port}/")


async def test_an_emitter_reaches_a_room_of_the_chat_by_the_name_that_its_users_know(system, clients):
    plain = await clients.connect(system.url, transports=["websocket"])
    structured = await clients.connect(system.url, transports=["websocket"], auth={"structured": True})
    gone = await clients.connect(system.url, transports=["websocket"])
    for client in (plain, structured, gone):
        await client.emit("joinRoom", {"roomId": "den", "userName": "Ann"})
    await gone.emit("leaveRoom", {"roomId": "den"})
    assert 0o600 == (system.state / "redis-url").stat().st_mode & 0o777

    with contextlib.chdir(ROOT):
        exec(compile(example(system.port), "nodes.md", "exec"), {})

    said = "The shop closes in ten minutes."
    for client in (plain, structured):
        await client.wait_for_event("roomMessage", said)
        assert [{"order": 17}] == (await client.wait_for_event("shipped", {"order": 17}))[:1]
    await gone.emit("message", "a mark")
    for client in (plain, structured, gone):
        await client.wait_for_event("message")
    assert [1, 1, 0] == [
        len([event for event in client.events if event[1] == said]) for client in (plain, structured, gone)
    ]
