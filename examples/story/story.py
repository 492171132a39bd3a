"""The gateway of a story: its handler streams a story itself, and goes on with one that another gateway began."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec

from roomwire import App, Gateway, Reply, Socket, subscribe
from roomwire.app.settings import GatewaySettings

TOKENS_PER_S = 50


class Tell(msgspec.Struct):
    """A request for a story: its length, which attempt this is, and how many tokens the client has."""

    length: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    attempt: int
    have: Annotated[int, msgspec.Meta(ge=0)]


async def tokens(length: int, have: int) -> AsyncIterator[str]:
    """Tell a story as a language model would, which belongs in this place, after the tokens that the client has: this one counts."""
    for count in range(have + 1, length + 1):
        yield f"{count} "
        await asyncio.sleep(1 / TOKENS_PER_S)


class Story(Gateway):
    """Tells stories."""

    async def on_connection(self, socket: Socket, settings: GatewaySettings) -> None:
        """Name the gateway, so that one can see which to kill."""
        await socket.emit("gateway", settings.node_name)

    @subscribe("tell")
    async def tell(self, body: Tell) -> AsyncIterator[Reply]:
        """Tell the story from the first token that the client does not have; the ack follows the last one."""
        async for token in tokens(body.length, body.have):
            yield Reply("token", body.attempt, token)


app = App(Story)
