"""The rows that measure single clients: acknowledged events, connections, and idle clients."""

import time
from collections.abc import Callable
from typing import Final

from msgspec import structs

from roomwire_loadtest.bench.results import GENERATOR_LIMIT, SERVER_BUSY, Figure
from roomwire_loadtest.bench.rows.trial import UNDER_WAY, Found, Trial, connect
from roomwire_loadtest.bench.servers.kinds import Running, started
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


def _with_cost(figure: Figure, cost: str) -> list[Figure]:
    """Return a figure in operations/s, and the CPU in microseconds that the server used for one of them."""
    if not cost or not figure.value:
        return [figure]
    return [figure, structs.replace(figure, row=cost, value=1e6 * figure.server_cpu / figure.value)]


def echoes(trial: Trial, *, row: str = "acks", cost: str = "") -> Found:
    """Keep one acknowledged event of each of 200 clients in flight.

    Args:
        trial: The server and the round.
        row: The row's name.
        cost: The name of the figure for the CPU of one event; empty for none.

    """
    with started(trial.kind, trial.core) as running:
        crowd = Crowd(connect(running, [None] * 200), running.kind.dialect, sampled=0)
        try:
            crowd.echo(trial.effort.echo_s / 2)
            usage, began = Usage(running.process), time.perf_counter()
            answered = crowd.echo(trial.effort.echo_s, resume=True)
            rate = answered / (time.perf_counter() - began)
            return Found(_with_cost(_figure(trial, row, rate, usage), cost), [])
        finally:
            crowd.close()


def connections(trial: Trial, *, row: str = "connections", cost: str = "") -> Found:
    """Connect by WebSocket and join, 50 clients at a time; the names are those of `echoes`."""
    return _connections(
        trial, row, trial.effort.connections, Opening.websocket, under_way=UNDER_WAY, cost=cost
    )


def upgrades(trial: Trial) -> Found:
    """Connect by polling, upgrade and join, 400 clients at a time."""
    if not trial.kind.has_polling:
        note = "it has no polling transport"
        return Found(
            [Figure(row="upgrades", server=trial.kind.name, round=trial.round, value=None, note=note)], []
        )
    return _connections(
        trial,
        "upgrades",
        trial.effort.upgrades,
        Opening.polling_then_upgrade,
        under_way=_UPGRADES_UNDER_WAY,
    )


def _connections(
    trial: Trial,
    row: str,
    count: int,
    flow: Callable[[Opening], Flow],
    *,
    under_way: int,
    cost: str = "",
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
        return Found(_with_cost(figure, cost), [])


def _openings(running: Running, count: int) -> list[Opening]:
    return openings(
        running.ports, running.kind.dialect, [f"room-{number // 10:04}" for number in range(count)]
    )


def weight(trial: Trial) -> Found:
    """Measure the memory of an idle connection to one of several nodes."""
    return _idle(trial, "nodes-memory-idle", lambda *_: [])


def idle(trial: Trial) -> Found:
    """Measure the memory of an idle connection, among 8,000; then the CPU of a server that keeps 5,000 alive."""
    return _idle(trial, "memory", _resting)


def _idle(trial: Trial, row: str, then: Callable[[Trial, Running, Crowd], list[Figure]]) -> Found:
    effort = trial.effort
    with started(trial.kind, trial.core) as running:
        first = Crowd(connect(running, [None] * 100), running.kind.dialect, sampled=0)
        first.idle(effort.rest_s)
        before, usage = resident_bytes(running.process), Usage(running.process)
        crowd = Crowd(connect(running, [None] * effort.idle_connections), running.kind.dialect, sampled=0)
        try:
            crowd.idle(effort.rest_s)
            kib = (resident_bytes(running.process) - before) / effort.idle_connections / 1024
            memory = _figure(trial, row, kib, usage, lower_is_better=True, at_limit=False)
            return Found([memory, *then(trial, running, crowd)], [])
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
