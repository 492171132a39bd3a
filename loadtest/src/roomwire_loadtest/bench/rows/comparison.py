"""The rows of the comparison, and the servers that each compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from roomwire_loadtest.bench.rows.clients import connections, echoes, idle, upgrades, weight
from roomwire_loadtest.bench.rows.nodes import flatness, latency, memory, recoveries, spent
from roomwire_loadtest.bench.rows.rooms import FAN_OUT, NODES_FAN_OUT, NODES_ROOMS, ROOMS_OF_TEN
from roomwire_loadtest.bench.rows.trial import Found, Trial
from roomwire_loadtest.bench.servers.kinds import KINDS


@dataclass(frozen=True)
class Row:
    """A row of the comparison.

    Args:
        run: Measures one server in one round.
        servers: The servers that it compares.

    """

    run: Callable[[Trial], Found]
    servers: Sequence[str]


_ALONE: Final = [name for name, kind in KINDS.items() if kind.nodes is None]
_NODES: Final = [name for name, kind in KINDS.items() if kind.nodes]
_OURS: Final = ["ours-nodes"]
_DROP_IN: Final = ["ours-nodes", "stock-nodes", "replaced-nodes"]
"""What a program for python-socketio may run on, with Redis."""

ROWS: Final = {
    "fan-out": Row(FAN_OUT.run, _ALONE),
    "rooms": Row(ROOMS_OF_TEN.run, _ALONE),
    "acks": Row(echoes, _ALONE),
    "connections": Row(connections, _ALONE),
    "upgrades": Row(upgrades, _ALONE),
    "idle": Row(idle, _ALONE),
    "nodes-fan-out": Row(NODES_FAN_OUT.run, _NODES),
    "nodes-rooms": Row(NODES_ROOMS.run, _NODES),
    "nodes-cost": Row(flatness, [name for name in _NODES if name not in {"stock-nodes", "replaced-nodes"}]),
    "nodes-acks": Row(partial(echoes, row="nodes-acks", cost="cpu-ack"), _DROP_IN),
    "nodes-connections": Row(partial(connections, row="nodes-connections", cost="cpu-connection"), _DROP_IN),
    "nodes-idle": Row(weight, _DROP_IN),
    "nodes-cpu": Row(spent, _DROP_IN),
    "nodes-latency": Row(latency, _OURS),
    "nodes-recoveries": Row(recoveries, _OURS),
    "nodes-memory": Row(memory, _OURS),
}
