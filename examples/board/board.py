"""A live board: cards move for all who look at it, whichever gateway they are connected to."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from cards import Card, Cards, Stage, open_cards
from msgspec import Meta
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from roomwire import App, Gateway, emits, subscribe

HERE = Path(__file__).parent
Title = Annotated[str, Meta(min_length=1, max_length=100)]


class Board(Gateway):
    """Writes each change into the database, then tells all of it."""

    changed = emits("card", Card)

    @subscribe("cards")
    async def show(self, cards: Cards) -> list[Card]:
        """Return all cards."""
        return await cards.all()

    @subscribe("add")
    async def add(self, title: Title, cards: Cards) -> Card:
        """Add a card."""
        return await self._tell(await cards.add(title))

    @subscribe("move")
    async def move(self, card_id: str, stage: Stage, cards: Cards) -> Card:
        """Move a card."""
        return await self._tell(await cards.move(card_id, stage))

    async def _tell(self, card: Card) -> Card:
        # Two gateways may tell in another order than they have written: clients go by the version.
        await self.changed(card)
        return card


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Open the database for the handlers."""
    async with open_cards(os.environ.get("BOARD_DATABASE", "board.sqlite3")) as cards:
        app.provide(Cards, cards)
        yield


# The tests need no page, and so no `npm install` either.
client = StaticFiles(directory=HERE / "node_modules" / "socket.io-client" / "dist", check_dir=False)
page = StaticFiles(directory=HERE / "page", html=True)
app = App(Board, lifespan=lifespan, http=Starlette(routes=[Mount("/client", client), Mount("/", page)]))
