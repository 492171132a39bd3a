"""A small application of a team: a board whose cards move, with a handler of each kind of trouble."""

import asyncio

import msgspec
from waiting import time_passes

from roomwire import Gateway, Server, Socket, User, subscribe
from roomwire.errors import Forbidden


class Card(msgspec.Struct):
    id: str
    column: str


class Board(Gateway):
    """What happened is kept, for tests to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.happened: list[object] = []
        self.gate = asyncio.Event()

    async def on_connection(self, socket: Socket, user: User, auth: dict[str, object]) -> None:
        if auth.get("refuse"):
            raise Forbidden("Not on this board.")
        self.happened.append(("came", user.id))
        await socket.join("board")
        await socket.emit("welcome", user.kind)

    async def on_disconnection(self, user: User, reason: str) -> None:
        self.happened.append(("went", user.id, reason))

    @subscribe("move")
    async def move(self, card: Card) -> Card:
        await self.emit("moved", card, to="board")
        return card

    @subscribe("draw")
    async def draw(self, picture: bytes) -> bytes:
        await self.emit("drawn", {"picture": picture}, to="board")
        return picture[::-1]

    @subscribe("only_admins")
    async def only_admins(self) -> None:
        raise Forbidden

    @subscribe("divide")
    async def divide(self, by: int) -> float:
        return 1 / by

    @subscribe("wait")
    async def wait(self) -> str:
        try:
            await self.gate.wait()
            self.happened.append("waited")
        finally:
            self.happened.append("let go")
        return "waited"

    @subscribe("later")
    async def later(self, socket: Socket, delay_s: float) -> str:
        await time_passes(delay_s)
        await socket.emit("late", "now")
        return "now"

    @subscribe("ask")
    async def ask(self, socket: Socket, question: str) -> object:
        server: Server = self.server
        return await server.call("question", question, to=socket.id)

    @subscribe("leave")
    async def leave(self, socket: Socket) -> None:
        await socket.disconnect()
