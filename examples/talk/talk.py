"""Questions at a talk: whoever listens asks, and everyone sees the questions of all."""

from pathlib import Path
from typing import Annotated

import msgspec
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from roomwire import App, Gateway, Keep, Socket, emits, subscribe

ROOM = "talk"
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
OwnId = Annotated[str, msgspec.Meta(min_length=1, max_length=36)]


class Question(msgspec.Struct):
    """A question, as all clients receive it."""

    id: str
    author: str
    text: str


class Talk(Gateway, renewal_event="refreshToken"):
    """Passes each question on, and keeps the newest hundred."""

    asked = emits("asked", Question)

    async def on_connection(self, socket: Socket) -> None:
        """Let a client receive the questions."""
        await socket.join(ROOM)

    @subscribe("questions")
    async def questions(self) -> list[Question]:
        """Return the newest questions, oldest first."""
        return (await self.history(ROOM)).values(Question)

    @subscribe("ask")
    async def ask(self, socket: Socket, own_id: OwnId, text: Text) -> Question:
        """Ask a question; a client that gets no ack asks again with the same id, and all receive it once."""
        message_id = socket.own_id(own_id)
        question = Question(message_id, socket.user.name, text)
        await self.asked(
            question, to=ROOM, message_id=message_id, keeps_history=Keep(entry=question, entries=100)
        )
        return question


# The tests need no page, and so none of its build either.
page = StaticFiles(directory=Path(__file__).parent / "page", html=True)
app = App(Talk, http=Starlette(routes=[Mount("/", page)]))
