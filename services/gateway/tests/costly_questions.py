"""Attacks by questions whose answers cost much more than the questions: the history of a full room, and the members of a crowd."""

import asyncio
import contextlib
import uuid

import redis.asyncio
from live import Client
from service_process import HOST

from roomwire_gateway.messages import MAX_HISTORY, MAX_TEXT_CHARS

FULL = 40
"""Messages of a full room: enough for several answers."""
WIDE = "\N{GRINNING FACE}" * MAX_TEXT_CHARS
LARGE_BYTES = 400_000
HISTORIES_AT_ONCE = 8
"""More than the rates allow, and less than a client may leave unread."""
CROWD = 250
PRESENCES_AT_ONCE = 45
"""As many as the rates allow."""
READ_BYTES = 15_000
"""What Redis may send for one of them: less than half of what the members of a crowd are."""


async def full_history(stranger):
    """Ask for the history of a room of large messages, and read everything."""
    room = uuid.uuid4().hex
    async with _guest(stranger) as eve:
        for number in range(FULL):
            said = {"roomId": room, "userName": "Eve", "message": WIDE, "messageId": str(number)}
            await eve.emit("chatMessage", said)
        answers = []
        for _ in range(5):
            answers += await _asked(eve, "history", {"roomId": room, "limit": MAX_HISTORY}, HISTORIES_AT_ONCE)
    return {_outcome(answer) for answer in answers}


async def crowd_presence(stranger):
    """Ask for the members of a crowd as often as the rates allow; Redis reads them once for all questions of a moment."""
    room, system = uuid.uuid4().hex, stranger.system
    client = redis.asyncio.Redis(host=HOST, port=system.redis_port, username="gateway", password="gateway")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.aclose)
        for _ in range(CROWD):
            member = await stack.enter_async_context(_guest(stranger))
            await member.emit("joinRoom", {"roomId": room, "userName": "Eve"})
        eve = await stack.enter_async_context(_guest(stranger))
        before = (await client.info("stats"))["total_net_output_bytes"]
        answers = await _asked(eve, "presence", {"roomId": room}, PRESENCES_AT_ONCE)
        sent = (await client.info("stats"))["total_net_output_bytes"] - before
    assert {CROWD} == {answer["count"] for answer in answers}
    return ["read once" if sent < PRESENCES_AT_ONCE * READ_BYTES else "read for each"]


def _guest(stranger):
    return Client.connected(stranger.system.gateways[0].address, {"token": stranger.token})


async def _asked(client, event, body, times):
    return await asyncio.gather(*(client.emit(event, body) for _ in range(times)))


def _outcome(answer):
    if "error" in answer:
        return answer["error"]["code"]
    size = sum(len(message["text"].encode()) for message in answer["messages"])
    return "answered" if size <= LARGE_BYTES else "too much"
