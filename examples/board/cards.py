"""The cards of the board, in a database: SQLite, one file for all gateways of this machine."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Literal

import aiosqlite
import msgspec

from roomwire.errors import NotFound

Stage = Literal["to do", "doing", "done"]


class Card(msgspec.Struct):
    """A card; of two that differ, the one with the higher version is the newer."""

    id: str
    title: str
    stage: Stage
    version: int


class Cards:
    """All cards. Each method is a transaction of its own."""

    def __init__(self, database: aiosqlite.Connection) -> None:
        self._database = database

    async def all(self) -> list[Card]:
        """Return all cards, in the order in which they were added."""
        return await self._query("SELECT id, title, stage, version FROM card ORDER BY rowid")

    async def add(self, title: str) -> Card:
        """Add a card."""
        (card,) = await self._query(
            "INSERT INTO card (id, title, stage, version) VALUES (?, ?, 'to do', 1) RETURNING id, title, stage, version",
            secrets.token_hex(8),
            title,
        )
        return card

    async def move(self, card_id: str, stage: Stage) -> Card:
        """Move a card to another stage."""
        found = await self._query(
            "UPDATE card SET stage = ?, version = version + 1 WHERE id = ? RETURNING id, title, stage, version",
            stage,
            card_id,
        )
        if not found:
            raise NotFound("There is no such card.")
        return found[0]

    async def _query(self, statement: str, *values: str) -> list[Card]:
        return [Card(*row) for row in await self._database.execute_fetchall(statement, values)]


@contextlib.asynccontextmanager
async def open_cards(path: str) -> AsyncIterator[Cards]:
    """Open the database, and make it if there is none."""
    async with aiosqlite.connect(path, isolation_level=None) as database:
        await database.execute(
            "CREATE TABLE IF NOT EXISTS card"
            " (id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, stage TEXT NOT NULL, version INTEGER NOT NULL)"
        )
        yield Cards(database)
