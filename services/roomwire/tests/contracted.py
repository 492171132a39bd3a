"""An application with one of each that a contract tells of, and an earlier release of it."""

from collections.abc import AsyncGenerator
from typing import Annotated, Literal

import msgspec

from roomwire import Ack, App, Call, Gateway, Key, Pipe, Reply, Server, Socket, User, emits, subscribe
from roomwire.errors import NotFound
from roomwire.gateways.chain import Proceed

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Card(msgspec.Struct):
    """A card of the board."""

    id: str
    column: Literal["to do", "done"]
    tags: list["Card"] = []


class Options(msgspec.Struct):
    color: str = "blue"


class Database: ...


async def load_card(card_id: str, database: Database) -> Card: ...


def is_member(call: Call) -> bool:
    return call.user.id != "stranger"


async def timed(call: Call, proceed: Proceed) -> object:
    return await proceed()


class Board(Gateway, presence_event="presence", typing_event="typing"):
    """Moves cards."""

    moved = emits("moved", Card)
    counted = emits("counted", int, str, required=1)
    drawn = emits("drawn", bytes)
    reset = emits("reset")

    async def on_connection(self, socket: Socket, options: Options) -> None:
        await socket.join("board")
        await socket.emit("welcome", options.color)

    @subscribe("move", guards=[is_member])
    async def move(self, user: User, card: Card, database: Database, times: int = 1) -> Card:
        """Move a card.

        The others see it.
        """
        await self.moved(card, to="board")
        await self.counted(times, to="board")
        return card

    @subscribe("rename card")
    async def rename(
        self,
        card: Annotated[Card, Key("cardId"), Pipe(load_card)],
        title: Annotated[Title, Key("title")],
        note: Annotated[str | None, Key("note")] = None,
    ) -> None: ...

    @subscribe("count")
    async def count(self) -> tuple[int, str]:
        return 1, "one"

    @subscribe("find")
    async def find(self, card_id: str) -> Card | None:
        if card_id == "none":
            raise NotFound
        return None if card_id == "gone" else Card(card_id, "done")

    @subscribe("draw")
    async def draw(self, picture: bytes) -> bytes:
        await self.drawn(picture[::-1], to="board")
        return picture

    @subscribe("look")
    async def look(self) -> Reply:
        return Reply("shown", 1)

    @subscribe("save", interceptors=[timed])
    async def save(self, ack: Ack) -> None:
        ack("saved")

    @subscribe("list")
    async def list_cards(self, count: int) -> AsyncGenerator[Card, None]:
        for number in range(count):
            yield Card(str(number), "done")

    async def shout(self, event: str) -> None:
        await self.emit(event, 1)


class Plain(Gateway, namespace="/plain"):
    @subscribe("say")
    async def say(self, text: str) -> None: ...


sio = Server()


@sio.on("shout", namespace="/functions")
async def shout(sid: str, text: str) -> None: ...


app = App(Board, Plain, server=sio, name="board")
