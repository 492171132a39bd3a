"""The rows of the table, grouped by what is harmed. A row that is not written stands here as such."""

from typing import Final

from roomwire_loadtest.faults.scenarios import clients, database, gateways, network, tokens
from roomwire_loadtest.faults.stage import Row


def _order(row: Row) -> tuple[int, str]:
    number, _, variant = row.id.removeprefix("K").partition(" ")
    return int(number), variant


ROWS: Final = tuple(
    sorted((*gateways.ROWS, *database.ROWS, *clients.ROWS, *network.ROWS, *tokens.ROWS), key=_order)
)
