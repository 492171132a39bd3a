"""The gateway of an assistant: takes questions and leaves the answers to a worker, which speaks to the clients itself."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from jobs import QUESTIONS, REDIS_URL, Job
from redis.asyncio import Redis

from roomwire import App, Gateway, Socket, subscribe
from roomwire.app.settings import GatewaySettings

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Assistant(Gateway):
    """Takes questions."""

    async def on_connection(self, socket: Socket, settings: GatewaySettings) -> None:
        """Name the gateway, so that one can see which to kill."""
        await socket.emit("gateway", settings.node_name)

    @subscribe("ask")
    async def ask(self, socket: Socket, question: Text, redis: Redis) -> None:
        """Hand a question to the worker."""
        job = Job(answer=secrets.token_hex(16), client=socket.id, question=question)
        await redis.lpush(QUESTIONS, msgspec.json.encode(job))


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Open the connection to the worker's list."""
    async with Redis.from_url(REDIS_URL) as redis:
        app.provide(Redis, redis)
        yield


app = App(Assistant, lifespan=lifespan)
