"""The cost of work: CPU by service, bytes by purpose. Pure.

A process pays for each unit of work. If it has to wake up for it, it pays more: its caches are cold, and it shares its
reads, writes to Redis and writes to sockets with no other work. A process that is busy for a share `b` of the time is
already busy when a share `b` of random arrivals reach it, so `b = warm + cold * (1 - b)`, which is solved for `b`: the cost
of a message falls as load rises, until the process is full. A full gateway also joins several messages to one client in one
write; the model leaves that out, as a reserve.
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
        "messages": "a message accepted from a client: checked, kept, published, acknowledged",
        "heard": "a message received from the log, for all members on the gateway together",
        "deliveries": "a delivery to one client",
        "requests": "an HTTP request of a client that polls",
        "taken_kib": "a KiB of text, accepted from a client or received from the log",
        "delivered_kib": "a KiB of text, delivered",
    },
    "redis": {
        "seconds": "a second in which nothing happens",
        "pings": "a ping's receipt",
        "opens": "a session",
        "joins": "entering a room",
        "calls": "a call by a gateway, with everything that it has to publish at that moment",
        "publishes": "a publish; a message of the chat has two, its text and its structured form",
        "keeps": "an entry of a room's history",
        "pushes": "a push to one gateway",
        "logins": "a login or a refresh",
        "registered": "a gateway in the list of gateways, each time that another one reads it",
    },
    "auth": {
        "seconds": "a second in which nothing happens",
        "guests": "a guest",
        "passwords": "a password",
        "refreshes": "a refresh",
    },
}
"""The units of each service's work, with descriptions."""
COLD: Final[Mapping[str, Sequence[str]]] = {
    "gateway": ("messages", "heard", "requests"),
    "redis": ("moments",),
    "auth": (),
}
"""The units that cost a process more if it has to wake up for each. Redis writes its append-only file once for all commands
that it finds at a moment, whichever clients they are from."""
MOMENTS: Final = "a moment in which something arrives"
_NETWORK: Final = {
    **WORK["redis"],
    "taken_kib": "a KiB of text, received; a message of the chat carries its text four times",
    "pushed_kib": "a KiB of text, pushed",
}
WEIGHTS: Final[Mapping[str, Mapping[str, str]]] = {
    "gateway": {"connections": "a connection", "memberships": "a client in a room"},
    "session": {"sessions": "a session", "memberships": "a room of it"},
    "direct": {"sessions": "recent messages to one client"},
    "presence": {"memberships": "a client in a room, for presence", "rooms": "a room, for presence"},
    "log": {
        "streams": "a stream of the log",
        "messages": "a message in both of its streams",
        "text_kib": "a KiB of its text, in each of its forms",
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
"""What is held in memory or sent over the network, and the units that it consists of."""
_NEGLIGIBLE_BUSY: Final = 0.03
_NEGLIGIBLE_BYTES: Final = 10_000.0


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The fitted costs.

    Attributes:
        cpu_s: CPU seconds per unit of each kind of work, by service, at a process that is always busy.
        cold_s: The additional cost of a unit if the process has to wake up for it, by service.
        weights: Bytes per unit, by what is held.
        base_bytes: Memory of a process without clients, by service.

    """

    cpu_s: dict[str, dict[str, float]]
    cold_s: dict[str, dict[str, float]]
    weights: dict[str, dict[str, float]]
    base_bytes: dict[str, float]

    def busy(self, service: str, work_per_s: Mapping[str, float]) -> float:
        """Return the share of a core that a process is busy; above 1 it cannot keep up.

        Args:
            service: The service.
            work_per_s: Units per second of each kind of work; missing ones are 0, and `seconds` is 1.

        """
        work = {"seconds": 1.0, **work_per_s}
        warm, cold = self.work(service, work), _sum(self.cold_s[service], work)
        return warm + max(0.0, 1.0 - warm) * cold / (1.0 + cold)

    def work(self, service: str, units: Mapping[str, float]) -> float:
        """Return the CPU seconds of units of work at a process that is always busy."""
        return _sum(self.cpu_s[service], units)

    def bytes_of(self, what: str, held: Mapping[str, float]) -> float:
        """Return the bytes of what is held, or sent over the network."""
        return _sum(self.weights[what], held)


def _sum(costs: Mapping[str, float], units: Mapping[str, float]) -> float:
    return sum(cost * units.get(name, 0.0) for name, cost in costs.items())


def fitted(
    observations: Sequence[Observation], weights: Sequence[Weight], base_bytes: Mapping[str, float]
) -> Model:
    """Return the model of the measurements; those for checks are left out.

    Raises:
        TooLittle: No measurement contains one of the units.

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
        # Errors are weighted relative to the measurement, and less the idler the process was.
        rows.append(Row({**one.work, **cold}, one.cpu_s, 1 / (one.cpu_s + _NEGLIGIBLE_BUSY * one.seconds)))
    return fit(rows, [*WORK[service], *map(_cold, COLD[service])])
