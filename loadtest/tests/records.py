"""A record of a load run in which nothing was wrong, for tests to change what they are about."""

from roomwire_loadtest.load.record import Generator, Record

KEPT = Record(
    scenario="mixed",
    title="A title",
    date="2026-01-02T03:04:05+00:00",
    machine={"CPU": "a processor"},
    users=1_000,
    seconds=60,
    outcome="KEPT",
    void=[],
    broken=[],
    measured={},
    connections={"websocket": 1_000},
    refreshed=0,
    renewed=0,
    acknowledged=40_000,
    delivered=400_000,
    recovered=0,
    exchanged=[],
    faults_s=[],
    generator=Generator(cpu=0.5, lag_ms=12.0),
    timeline=[],
)
