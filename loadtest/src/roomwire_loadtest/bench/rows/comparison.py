"""The rows of the comparison: how one server is measured to get one row's figure in one round."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from roomwire_loadtest.bench.results import GENERATOR_LIMIT, SERVER_BUSY, Figure
from roomwire_loadtest.bench.rows.nodes import flatness, latency, memory, recoveries
from roomwire_loadtest.bench.rows.rooms import FAN_OUT, NODES_FAN_OUT, NODES_ROOMS, ROOMS_OF_TEN
from roomwire_loadtest.bench.rows.trial import UNDER_WAY, Found, Trial, connect
from roomwire_loadtest.bench.servers.kinds import KINDS, Running, started
from roomwire_loadtest.generator.crowd import Crowd
from roomwire_loadtest.generator.links import Flow, Opening, open_links, openings
from roomwire_loadtest.usage import Usage, resident_bytes

_UPGRADES_UNDER_WAY: Final = 400
"""A large number, because Node's server ends the pending poll only every 100 ms."""


def _figure(
    trial: Trial,
    row: str,
    value: float,
    usage: Usage,
    *,
    lower_is_better: bool = False,
    at_limit: bool = True,
) -> Figure:
    """Return a figure; it is a lower bound if the generator reached its limit before the server."""
    generator, server, others = usage.shares()
    void = at_limit and generator > GENERATOR_LIMIT and server < SERVER_BUSY
    return Figure(
        row=row,
        server=trial.kind.name,
        round=trial.round,
        value=value,
        at_least=void and not lower_is_better,
        note="VOID: the generator was at its limit" if void else "",
        generator_cpu=generator,
        server_cpu=server,
        others_cpu=others,
    )


def echoes(trial: Trial) -> Found:
    """Keep one acknowledged event of each of 200 clients in flight."""
    with started(trial.kind, trial.core) as running:
        crowd = Crowd(connect(running, [None] * 200), running.kind.dialect, sampled=0)
        try:
            crowd.echo(trial.effort.echo_s / 2)
            usage, began = Usage(running.process), time.perf_counter()
            answered = crowd.echo(trial.effort.echo_s, resume=True)
            rate = answered / (time.perf_counter() - began)
            return Found([_figure(trial, "acks", rate, usage)], [])
        finally:
            crowd.close()


def connections(trial: Trial) -> Found:
    """Connect by WebSocket and join, 50 clients at a time."""
    return _connections(trial, "connections", trial.effort.connections, Opening.websocket, UNDER_WAY)


def upgrades(trial: Trial) -> Found:
    """Connect by polling, upgrade and join, 400 clients at a time."""
    if not trial.kind.has_polling:
        note = "it has no polling transport"
        return Found(
            [Figure(row="upgrades", server=trial.kind.name, round=trial.round, value=None, note=note)], []
        )
    return _connections(
        trial, "upgrades", trial.effort.upgrades, Opening.polling_then_upgrade, _UPGRADES_UNDER_WAY
    )


def _connections(
    trial: Trial, row: str, count: int, flow: Callable[[Opening], Flow], under_way: int
) -> Found:
    with started(trial.kind, trial.core) as running:
        for link in open_links(_openings(running, count), flow, under_way=under_way):
            link.close()
        usage, began = Usage(running.process), time.perf_counter()
        links = open_links(_openings(running, count), flow, under_way=under_way)
        rate = count / (time.perf_counter() - began)
        figure = _figure(trial, row, rate, usage)
        for link in links:
            link.close()
        return Found([figure], [])


def _openings(running: Running, count: int) -> list[Opening]:
    return openings(
        running.ports, running.kind.dialect, [f"room-{number // 10:04}" for number in range(count)]
    )


def idle(trial: Trial) -> Found:
    """Measure the memory of an idle connection, among 8,000; then the CPU of a server that keeps 5,000 alive."""
    effort = trial.effort
    with started(trial.kind, trial.core) as running:
        first = Crowd(connect(running, [None] * 100), running.kind.dialect, sampled=0)
        first.idle(effort.rest_s)
        before, usage = resident_bytes(running.process), Usage(running.process)
        crowd = Crowd(connect(running, [None] * effort.idle_connections), running.kind.dialect, sampled=0)
        try:
            crowd.idle(effort.rest_s)
            weight = (resident_bytes(running.process) - before) / effort.idle_connections / 1024
            memory = _figure(trial, "memory", weight, usage, lower_is_better=True, at_limit=False)
            return Found([memory, *_resting(trial, running, crowd)], [])
        finally:
            crowd.close()
            first.close()


def _resting(trial: Trial, running: Running, crowd: Crowd) -> list[Figure]:
    """Measure the CPU of an idle server; only once, because it takes longest and varies least."""
    effort = trial.effort
    if trial.round > 1 or not effort.idle_s:
        return []
    crowd.part(effort.idle_connections - effort.kept_connections)
    crowd.idle(1.0)
    usage, crowd.pings, crowd.lost = Usage(running.process), 0, 0
    crowd.idle(effort.idle_s)
    figure = _figure(trial, "idle", 100 * usage.shares()[1], usage, lower_is_better=True)
    trial.tell(f"{crowd.pings} pings answered, {crowd.lost} connections lost")
    return [figure]


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

ROWS: Final = {
    "fan-out": Row(FAN_OUT.run, _ALONE),
    "rooms": Row(ROOMS_OF_TEN.run, _ALONE),
    "acks": Row(echoes, _ALONE),
    "connections": Row(connections, _ALONE),
    "upgrades": Row(upgrades, _ALONE),
    "idle": Row(idle, _ALONE),
    "nodes-fan-out": Row(NODES_FAN_OUT.run, _NODES),
    "nodes-rooms": Row(NODES_ROOMS.run, _NODES),
    "nodes-cost": Row(flatness, _NODES),
    "nodes-latency": Row(latency, _OURS),
    "nodes-recoveries": Row(recoveries, _OURS),
    "nodes-memory": Row(memory, _OURS),
}
