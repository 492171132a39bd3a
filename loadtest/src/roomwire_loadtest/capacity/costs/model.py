"""What work costs: CPU by service, bytes by what they are for. Pure.

A process pays for each unit of work. If it has to wake up for it, it pays more: it finds its caches cold, and shares what it
reads, writes to Redis and writes to sockets with nothing else. A process that is busy for a share `b` of the time is found
busy by as many of what arrives at random, so that `b = warm + cold * (1 - b)`, which is solved for `b`: the cost of a message
falls as load rises, up to where the process is full. What is joined beyond, several messages to one client in one write at a
gateway that is full, is left out: it is the reserve.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from roomwire_loadtest.capacity.costs.fit import Row, fit
from roomwire_loadtest.capacity.costs.observed import Observation, Weight

WORK: Final[Mapping[str, Mapping[str, str]]] = {
    "gateway": {
        "seconds": "a second in which nothing happens",
        "pings": "a ping and its answer",
        "connects": "a connection by WebSocket, its token and its end",
        "upgrades": "the same, polling first",
        "joins": "entering a room",
        "messages": "a message taken from a client, checked, kept, published, acknowledged",
        "heard": "a message heard of the log, for all members here together",
        "deliveries": "a delivery to one client",
        "requests": "an HTTP request of a client that polls",
        "taken_kib": "a KiB of text, taken from a client or heard of the log",
        "delivered_kib": "a KiB of text, delivered",
    },
    "redis": {
        "seconds": "a second in which nothing happens",
        "pings": "a ping's receipt",
        "opens": "a session",
        "joins": "entering a room",
        "calls": "a call of a gateway, with all that it has to publish just then",
        "publishes": "a publish; a message of the chat has two, for those who want texts and for those who want structure",
        "keeps": "an entry of a room's history",
        "pushes": "a push to one gateway",
        "logins": "a login or a refresh",
        "registered": "a gateway in the list of all, each time that another reads it",
    },
    "auth": {
        "seconds": "a second in which nothing happens",
        "guests": "a guest",
        "passwords": "a password",
        "refreshes": "a refresh",
    },
}
"""The units of each service's work, and what they are."""
COLD: Final[Mapping[str, Sequence[str]]] = {
    "gateway": ("messages", "heard", "requests"),
    "redis": ("moments",),
    "auth": (),
}
"""Those that cost a process more which has to wake up for each. Redis writes its append-only file once for all that it finds in
a moment, whoever it is from."""
MOMENTS: Final = "a moment in which something arrives"
_NETWORK: Final = {
    **WORK["redis"],
    "taken_kib": "a KiB of text, taken; a message of the chat brings its text four times",
    "pushed_kib": "a KiB of text, pushed",
}
WEIGHTS: Final[Mapping[str, Mapping[str, str]]] = {
    "gateway": {"connections": "a connection", "memberships": "a client in a room"},
    "session": {"sessions": "a session", "memberships": "a room of it"},
    "direct": {"sessions": "what was said to one client lately"},
    "presence": {"memberships": "a client in a room, for presence", "rooms": "a room, for presence"},
    "log": {
        "streams": "a stream of the log",
        "messages": "a message in both of its streams",
        "text_kib": "a KiB of its text, in each way it is written",
    },
    "history": {
        "streams": "a room's history",
        "messages": "a message in it",
        "text_kib": "a KiB of its text",
    },
    "frame": {"deliveries": "a delivery's frame", "text_kib": "a KiB of its text"},
    "redis-in": _NETWORK,
    "redis-out": _NETWORK,
}
"""What is held in memory or goes over the network, and the units that it belongs to."""
_NEGLIGIBLE_BUSY: Final = 0.03
_NEGLIGIBLE_BYTES: Final = 10_000.0


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted.

    Attributes:
        cpu_s: By service: seconds of CPU for a unit of each kind of work, at a process that is always busy.
        cold_s: By service: what a unit costs beyond that, if the process has to wake up for it.
        weights: By what is held: the bytes of a unit.
        base_bytes: By service: what a process holds before anybody comes.

    """

    cpu_s: dict[str, dict[str, float]]
    cold_s: dict[str, dict[str, float]]
    weights: dict[str, dict[str, float]]
    base_bytes: dict[str, float]

    def busy(self, service: str, work_per_s: Mapping[str, float]) -> float:
        """Return the share of a core that a process is busy; above 1 it cannot keep up.

        Args:
            service: Which.
            work_per_s: Units a second of each kind of work. What is missing is 0; `seconds` is 1.

        """
        work = {"seconds": 1.0, **work_per_s}
        warm, cold = self.work(service, work), _sum(self.cold_s[service], work)
        return warm + max(0.0, 1.0 - warm) * cold / (1.0 + cold)

    def work(self, service: str, units: Mapping[str, float]) -> float:
        """Return the seconds of CPU that units of work take of a process that is always busy."""
        return _sum(self.cpu_s[service], units)

    def bytes_of(self, what: str, held: Mapping[str, float]) -> float:
        """Return the bytes of what is held, or goes over the network."""
        return _sum(self.weights[what], held)


def _sum(costs: Mapping[str, float], units: Mapping[str, float]) -> float:
    return sum(cost * units.get(name, 0.0) for name, cost in costs.items())


def fitted(
    observations: Sequence[Observation], weights: Sequence[Weight], base_bytes: Mapping[str, float]
) -> Model:
    """Return the model of what was measured; what it is to be checked against is left out.

    Raises:
        TooLittle: There is a unit that no measurement has.

    """
    cpu = {
        service: _cpu(service, [one for one in observations if one.service == service and not one.is_check])
        for service in WORK
    }
    return Model(
        cpu_s={service: {unit: found[unit] for unit in WORK[service]} for service, found in cpu.items()},
        cold_s={
            service: {unit: found[_cold(unit)] for unit in COLD[service]} for service, found in cpu.items()
        },
        weights={
            what: fit(
                [
                    Row(one.held, one.total_bytes, 1 / (one.total_bytes + _NEGLIGIBLE_BYTES))
                    for one in weights
                    if one.what == what and not one.is_check
                ],
                list(names),
            )
            for what, names in WEIGHTS.items()
        },
        base_bytes=dict(base_bytes),
    )


def _cold(unit: str) -> str:
    return f"cold {unit}"


def _cpu(service: str, seen: Sequence[Observation]) -> dict[str, float]:
    rows = []
    for one in seen:
        busy = one.cpu_s / one.seconds
        cold = {_cold(unit): one.work.get(unit, 0.0) * (1 - busy) for unit in COLD[service]}
        # Errors count in relation to what was measured, and the less the emptier a process was.
        rows.append(Row({**one.work, **cold}, one.cpu_s, 1 / (one.cpu_s + _NEGLIGIBLE_BUSY * one.seconds)))
    return fit(rows, [*WORK[service], *map(_cold, COLD[service])])
