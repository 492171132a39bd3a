"""The rows of the table, grouped by the component that fails. A row that is not written is listed as such."""

from typing import Final

from roomwire_loadtest.faults.scenarios import (
    clients_k9_k10_k14,
    database_k4_to_k7_k15,
    gateways_k1_k2_k3_k13,
    network_k8_k11_k12,
    tokens_k16,
)
from roomwire_loadtest.faults.stage import Row


def _order(row: Row) -> tuple[int, str]:
    number, _, variant = row.id.removeprefix("K").partition(" ")
    return int(number), variant


_FILES: Final = (
    gateways_k1_k2_k3_k13,
    database_k4_to_k7_k15,
    clients_k9_k10_k14,
    network_k8_k11_k12,
    tokens_k16,
)
ROWS: Final = tuple(sorted((row for file in _FILES for row in file.ROWS), key=_order))
