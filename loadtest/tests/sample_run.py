"""A small run, made up: what the tests of the report and of the lines read."""

from roomwire_loadtest.bench.results import Figure, Point, Run, Verdict

SERVERS = {"ours": "Roomwire", "node-ws": "ws", "node-uws": "uWebSockets", "bun": "Bun", "centrifuge": "Go"}
VALUES = {
    "fan-out": {"ours": [1e6, 2e6, 2e6], "node-ws": [1e5, 1e5, 1e5], "node-uws": [2e6, 1e6, 2e6]},
    "acks": {"ours": [70_000.0] * 3, "node-ws": [40_000.0] * 3, "bun": [70_000.0] * 3},
    "memory": {"ours": [5.5] * 3, "node-ws": [16.0] * 3, "bun": [10.0] * 3},
}


def point(server: str, number: int, rate: float, p99_ms: float | None, **changes) -> Point:
    fields = {
        "row": "rooms",
        "server": server,
        "round": number,
        "messages_per_s": rate,
        "deliveries_per_s": rate * 10,
        "share": 1.0 if p99_ms else 0.5,
        "p50_ms": p99_ms and p99_ms / 2,
        "p99_ms": p99_ms,
        "generator_cpu": 0.5,
        "server_cpu": 1.0,
        "others_cpu": 0.02,
        "verdict": Verdict.HELD if p99_ms else Verdict.BEHIND,
    }
    return Point(**(fields | changes))


def sample_run() -> Run:
    figures = [
        Figure(row=row, server=server, round=number, value=value, generator_cpu=0.5, server_cpu=1.0)
        for row, servers in VALUES.items()
        for server, values in servers.items()
        for number, value in enumerate(values, 1)
    ]
    figures += [
        Figure(row="upgrades", server="centrifuge", round=1, value=None, note="it has no polling transport"),
        Figure(row="rooms", server="ours", round=1, value=20_000.0, at_least=True),
        Figure(row="rooms", server="node-uws", round=1, value=5_000.0),
    ]
    points = [point("ours", number, 5_000.0, p99) for number, p99 in enumerate((11.0, 12.0, 90.0), 1)]
    points += [point("node-uws", number, 5_000.0, 30.0) for number in (1, 2, 3)]
    points += [point("ours", 1, 20_000.0, 40.0, generator_cpu=0.95)]
    points += [point("node-uws", 1, 20_000.0, 40.0), point("node-uws", 2, 20_000.0, None)]
    points += [point("node-uws", 3, 20_000.0, None)]
    return Run(
        date="2026-01-01T00:00:00+00:00",
        quick=False,
        rounds=3,
        machine={"CPU": "a processor"},
        versions={"ours": "Python 3"},
        servers=SERVERS,
        absent={"centrifuge": "Go is not\ninstalled"},
        figures=figures,
        points=points,
    )
