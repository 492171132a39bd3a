"""The targets: ratios between servers, all from the same run. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from roomwire_loadtest.bench.results import Run

_FAN_OUT: Final = "fan-out"
_ROOMS: Final = "rooms"


@dataclass(frozen=True)
class Line:
    """One target: its text, what was found, and whether it was reached; None if that could not be determined."""

    asked: str
    found: str
    is_reached: bool | None


def lines(run: Run) -> list[Line]:
    """Return every target, reached or not."""
    return [
        _at_least(run, _FAN_OUT, 10, "node-ws"),
        _at_least(run, _FAN_OUT, 1, "node-uws"),
        _latency(run, _FAN_OUT, 1, "node-uws", per=500),
        _at_least(run, _ROOMS, 1, "node-uws"),
        _at_least(run, "acks", 1, "bun"),
        _at_least(run, "acks", 2, "node-ws"),
        _at_least(run, _FAN_OUT, 2, "centrifuge"),
        _at_least(run, _ROOMS, 1, "centrifuge"),
        _latency(run, _ROOMS, 0.5, "centrifuge", per=1),
        _at_least(run, "acks", 1, "centrifuge"),
        _memory_bound(run, 6.0),
        _memory_peers(run),
        _at_least(run, "connections", 1, "bun"),
        _at_least(run, "upgrades", 1.5, "node-ws"),
        _at_least(run, "nodes-rooms", 3, "node-streams", ours="ours-nodes"),
        _at_most(run, "cost-8", 1.25, "cost-1"),
        _below(run, "added-p99", 2.0),
        _below(run, "recoveries", 5.0),
    ]


def _label(run: Run, server: str) -> str:
    return run.servers.get(server, server)


def _at_least(run: Run, row: str, factor: float, server: str, *, ours: str = "ours") -> Line:
    asked = f"{NAMES[row]}: at least {factor:g}x {_label(run, server)}"
    own, theirs = run.median(row, ours), run.median(row, server)
    if own is None or theirs is None:
        return Line(asked, "not measured", None)
    ratio = own / theirs
    return Line(asked, f"{ratio:.2f}x ({show(row, own)} to {show(row, theirs)})", ratio >= factor)


def _at_most(run: Run, row: str, factor: float, base: str) -> Line:
    asked = f"{NAMES[row]}: at most {factor:g}x that of one"
    value, reference = (run.median(one, "ours-nodes") for one in (row, base))
    if value is None or reference is None:
        return Line(asked, "not measured", None)
    ratio = value / reference
    return Line(asked, f"{ratio:.2f}x ({show(row, value)} to {show(base, reference)})", ratio <= factor)


def _below(run: Run, row: str, bound: float) -> Line:
    asked = f"{NAMES[row]}: below {show(row, bound)}"
    value = run.median(row, "ours-nodes")
    if value is None:
        return Line(asked, "not measured", None)
    return Line(asked, show(row, value), value < bound)


def _latency(run: Run, row: str, factor: float, server: str, *, per: int) -> Line:
    """Compare the p99 at the highest rate that both servers kept up with."""
    asked = f"{NAMES[row]}: p99 at most {factor:g}x that of {_label(run, server)}"
    rates = sorted(set(run.rates(row, "ours")) & set(run.rates(row, server)))
    if not rates:
        return Line(asked, "no rate that both kept up with", None)
    ours, theirs = (run.latency_ms(row, name, rates[-1], 99) for name in ("ours", server))
    if ours is None or theirs is None:
        return Line(asked, "not measured", None)
    unit = "deliveries" if per > 1 else "messages"
    found = (
        f"{ours:.1f} ms to {theirs:.1f} ms at {rates[-1] * per:,.0f} {unit}/s, the highest both kept up with"
    )
    return Line(asked, found, ours <= factor * theirs)


def _memory_bound(run: Run, most: float) -> Line:
    asked = f"{NAMES['memory']}: at most {most:g} KiB"
    ours = run.median("memory", "ours")
    if ours is None:
        return Line(asked, "not measured", None)
    return Line(asked, show("memory", ours), ours <= most)


def _memory_peers(run: Run) -> Line:
    asked = f"{NAMES['memory']}: below every peer"
    ours = run.median("memory", "ours")
    peers = {
        name: value
        for name in run.servers
        if name != "ours" and (value := run.median("memory", name)) is not None
    }
    if ours is None or not peers:
        return Line(asked, "not measured", None)
    least = min(peers, key=peers.__getitem__)
    found = f"{show('memory', ours)}; the least of the others: {show('memory', peers[least])} ({_label(run, least)})"
    return Line(asked, found, ours < peers[least])


def _figures() -> Iterator[tuple[str, str, Callable[[float], str]]]:
    yield "fan-out", "Fan-out, room of 500, deliveries/s", lambda value: f"{value:,.0f}"
    yield "rooms", "Rooms of 10, 1,000 clients, messages/s", lambda value: f"{value:,.0f}"
    yield "acks", "Acknowledged events/s, 200 clients", lambda value: f"{value:,.0f}"
    yield "connections", "Connections/s, WebSocket, with a join", lambda value: f"{value:,.0f}"
    yield "upgrades", "Connections/s, polling then upgrade", lambda value: f"{value:,.0f}"
    yield "memory", "Memory per idle connection", lambda value: f"{value:.1f} KiB"
    yield "idle", "CPU of an idle server, 5,000 connections", lambda value: f"{value:.2f}%"
    yield "nodes-fan-out", "A room of 500 over 2 nodes, deliveries/s", lambda value: f"{value:,.0f}"
    yield "nodes-rooms", "Rooms of 10 over 2 nodes, 1,000 clients, messages/s", lambda value: f"{value:,.0f}"
    yield "nodes-acks", "Acknowledged events/s, 200 clients of 2 nodes", lambda value: f"{value:,.0f}"
    yield "nodes-connections", "Connections/s with a join, 2 nodes", lambda value: f"{value:,.0f}"
    yield "nodes-memory-idle", "Memory per idle connection, 2 nodes", lambda value: f"{value:.1f} KiB"
    yield "cpu-ack", "CPU of an acknowledged event", lambda value: f"{value:.0f} us"
    yield "cpu-delivery", "CPU of a delivery in a room of 500", lambda value: f"{value:.2f} us"
    yield "cpu-message", "CPU of a message to a room of 10", lambda value: f"{value:.0f} us"
    yield "cpu-connection", "CPU of a connection with a join", lambda value: f"{value:.0f} us"
    for number in (1, 2, 4, 8):
        yield (
            f"cost-{number}",
            f"CPU of a message to a room on one of {number}",
            lambda value: f"{value:.0f} us",
        )
    for name in ("p50", "p99"):
        row, what = f"added-{name}", f"What the log adds to the {name} at 500 messages/s"
        yield row, what, lambda value: f"{value:.2f} ms"
    yield "recoveries", "Clients that come back at once, all recovered", lambda value: f"{value:.2f} s"
    yield "redis-session", "Redis memory per idle session", lambda value: f"{value:.0f} bytes"
    yield "redis-message", "Redis memory per message kept", lambda value: f"{value:.0f} bytes"


NAMES: Final = {row: name for row, name, _ in _figures()}
LESS_IS_BETTER: Final = frozenset(NAMES) - {
    *("fan-out", "rooms", "acks", "connections", "upgrades"),
    *("nodes-fan-out", "nodes-rooms", "nodes-acks", "nodes-connections"),
}
_SHOW: Final = {row: shown for row, _, shown in _figures()}


def show(row: str, value: float) -> str:
    """Return a row's value in a readable form."""
    return _SHOW[row](value)
