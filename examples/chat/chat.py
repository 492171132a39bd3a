"""The chat of Socket.IO's tutorial: what one person writes is read by all, whichever gateway they are connected to."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from roomwire import App, Gateway, Socket, emits, subscribe

HERE = Path(__file__).parent
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


class Chat(Gateway):
    """Hands on what people write."""

    written = emits("chat message", str)

    @subscribe("chat message")
    async def write(self, socket: Socket, text: Text, message_id: str) -> None:
        """Send a text to all; a client that gets no ack sends it again, and it is still delivered once."""
        await self.written(text, message_id=socket.own_id(message_id))


client = StaticFiles(directory=HERE / "node_modules" / "socket.io-client" / "dist")
page = StaticFiles(directory=HERE / "page", html=True)
app = App(Chat, http=Starlette(routes=[Mount("/client", client), Mount("/", page)]))
