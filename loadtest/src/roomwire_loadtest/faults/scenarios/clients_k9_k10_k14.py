"""K9, K10, K14: clients that do not read, that all drop at once, that come and go for a long time."""

import asyncio
import statistics
import time
from typing import Final

import psutil

from roomwire_loadtest.faults.latency import p99_ms
from roomwire_loadtest.faults.stage import Row, Stage

_SLOW_SHARE: Final = 0.1
_P99_FACTOR: Final = 1.2
_P99_FLOOR_MS: Final = 10.0
_RSS_MIB: Final = 64.0
_SETTLE_MS: Final = 1_000
_BACK_S: Final = 10.0
_EVICTED_S: Final = 30.0
_ROOM: Final = 20
_READS: Final = 2
_READS_KEPT_S: Final = 5.0
_SLOPE_MIB: Final = 0.25


async def unread(stage: Stage) -> None:
    """K9: every tenth client reads nothing, or very little; the other clients must not notice."""
    members = [f"r{number}" for number in range(100)]
    slow = members[:: round(1 / _SLOW_SHARE)]
    stuck, trickling = slow[::2], slow[1::2]
    await stage.fleet.open(stage.system.url, {name: ["hall"] for name in members})
    speakers = [name for name in members if name not in slow][:5]
    pad_rate = 10.0
    async with stage.load(speakers, rate=pad_rate):
        calm_from = time.time() * 1000
        for_s = 8 if stage.quick else 20
        await asyncio.sleep(for_s)
        rss_before = _rss(stage)
        began = stage.harm()
        await stage.fleet.tell("stall", stuck)
        await stage.fleet.tell("trickle", trickling, share=0.02)
        await asyncio.sleep(for_s)
        ended = time.time() * 1000
        rss_mib = _rss(stage) - rss_before
        connections, reasons = await _evicted(stage, len(members) - len(stuck), len(stuck))
        # By the clients' own clock: on a busy machine, a command takes seconds to reach them.
        silent_from = {
            entry.client: entry.at_ms
            for entry in stage.fleet.entries
            if entry.kind == "closed" and entry.client in stuck
        }
        stage.prove(
            silent_from.keys() == {*stuck}
            and not any(
                entry.kind == "got" and entry.at_ms > silent_from.get(entry.client, ended) + _SETTLE_MS
                for entry in stage.fleet.entries
                if entry.client in stuck
            ),
            f"{len(stuck)} clients read nothing, {len(trickling)} little",
        )
        others = set(members) - set(slow)
        before = p99_ms(stage.fleet.entries, others, calm_from, began)
        during = p99_ms(stage.fleet.entries, others, began, ended)
        allowed = max(_P99_FACTOR * before, before + _P99_FLOOR_MS)
        stage.note(f"others' p99 {before:.1f} to {during:.1f} ms, {rss_mib:+.1f} MiB")
        stage.hold_time(during <= allowed, f"the others' p99 rose from {before:.1f} to {during:.1f} ms")
        stage.hold(rss_mib < _RSS_MIB, f"memory rose by {rss_mib:.0f} MiB")
        stage.hold(
            connections <= len(members) - len(stuck),
            f"{connections:.0f} connections are held though {len(stuck)} clients read nothing",
        )
        stage.hold(reasons >= len(stuck), f"only {reasons} evictions have a reason in the log")
        await stage.fleet.tell("unstall", trickling)
        await stage.fleet.tell("close", stuck)
        await stage.fleet.settled()


async def _evicted(stage: Stage, connections: int, reasons: int) -> tuple[float, int]:
    """Wait until the number of connections stops falling; returns that number, and how many ends have their reason logged."""
    deadline = time.monotonic() + _EVICTED_S
    while True:
        held = await _connections(stage)
        logged = sum(
            '"ping timeout"' in line or '"slow' in line
            for gateway in stage.system.gateways.values()
            for line in gateway.log.read_text().splitlines()
            if "clos" in line
        )
        if (held <= connections and logged >= reasons) or time.monotonic() > deadline:
            return held, logged
        await asyncio.sleep(0.2)


async def stampede(stage: Stage) -> None:
    """K10: all clients drop at once and reconnect at once."""
    count = 400 if stage.quick else 2000
    members = {f"r{number}": [f"room-{number // _ROOM}"] for number in range(count)}
    await stage.fleet.open(
        stage.system.url, members, pace_ms=4, settled_s=90, auth={"token": stage.system.token("all")}
    )
    before = await stage.system.key_requests()
    async with stage.load(list(members)[::20], rate=2.0):
        began = stage.harm()
        await stage.fleet.tell("drop", list(members))
        await asyncio.sleep(1.0)
        stage.prove(stage.since(began, "disconnect") >= count, f"{count} clients dropped at once")
        await stage.fleet.settled(within_s=60)
        back_s = sorted(
            (entry.at_ms - began) / 1000
            for entry in stage.fleet.entries
            if entry.kind == "connect" and entry.at_ms >= began
        )
        ninety_nine = back_s[int(0.99 * (len(back_s) - 1))]
        asked = await stage.system.key_requests() - before
        stage.prove(before > 0, f"the gateways had fetched auth's keys {before} times")
        stage.note(f"99% back in {ninety_nine:.1f} s, {asked} of {before + asked} key requests")
        stage.hold_time(ninety_nine < _BACK_S, f"99% were back after {ninety_nine:.1f} s only")
        stage.hold(asked <= 2 * len(stage.system.gateways), f"auth was asked for its keys {asked} times")
        # Their rooms, the room of all clients that want texts, and the namespace, on each gateway; results are cached for a while.
        rooms = (count // _ROOM + 2) * len(stage.system.gateways)
        reads = await _sum(stage, 'roomwire_history_reads_total{kind="whole"}')
        allowed = _READS * rooms * (1 + back_s[-1] // _READS_KEPT_S)
        stage.note(f"{reads:.0f} reads of the history of {rooms} rooms")
        stage.prove(reads > 0, "history was read")
        stage.hold(reads <= allowed, f"the history of {rooms} rooms was read {reads:.0f} times")


async def soak(stage: Stage) -> None:
    """K14: clients connect, join and leave for hours (minutes here): nothing may grow, and everything returns to zero."""
    rss: list[float] = []
    tasks = await _sum(stage, "roomwire_tasks")
    publishers = await stage.gather(rooms=4)
    async with stage.load(publishers):
        for number in stage.rounds(30, 5):
            stage.harm()
            names = {f"v{number}-{guest}": [f"visit-{guest % 10}"] for guest in range(60)}
            await stage.fleet.open(stage.system.url, names, pace_ms=1)
            await stage.fleet.tell("close", list(names))
            await asyncio.sleep(1.0)
            rss.append(_rss(stage))
            stage.prove(not stage.fleet.connected.keys() & names.keys(), f"{len(names)} came and went")
    late = rss[len(rss) // 3 :]
    slope = statistics.linear_regression(range(len(late)), late).slope if late[1:] else 0.0
    stage.note(f"{slope:+.2f} MiB a round of 60 visitors, {rss[-1]:.0f} MiB in all")
    stage.hold(stage.quick or slope < _SLOPE_MIB, f"memory rises by {slope:.2f} MiB a round")
    await stage.fleet.tell("close", stage.fleet.names)
    await asyncio.sleep(3.0)
    left = await _connections(stage)
    stage.hold(left == 0, f"{left:.0f} connections remain without a client")
    rooms, tasks = await _sum(stage, "roomwire_rooms"), await _sum(stage, "roomwire_tasks") - tasks
    stage.note(f"{rooms:.0f} rooms and {tasks:+.0f} tasks at the end")
    stage.hold(rooms == 0, f"{rooms:.0f} rooms remain without a member")
    stage.hold(tasks <= len(stage.system.gateways), f"{tasks:.0f} tasks remain without a client")
    handles = [psutil.Process(of.handle.pid).num_fds() for of in stage.system.gateways.values()]
    stage.note(f"descriptors at the end {handles}")


def _rss(stage: Stage) -> float:
    return sum(gateway.rss_mib() for gateway in stage.system.gateways.values())


async def _connections(stage: Stage) -> float:
    return await _sum(stage, "roomwire_connections{")


async def _sum(stage: Stage, beginning: str) -> float:
    """Return the sum, over all gateways, of the metrics with this prefix."""
    total = 0.0
    for gateway in stage.system.gateways:
        metrics = await stage.system.metrics(gateway)
        total += sum(value for name, value in metrics.items() if name.startswith(beginning))
    return total


ROWS: Final = (
    Row("K9", "clients that read nothing, or little", unread, reconnections="any"),
    Row("K10", "all clients drop at once", stampede, at_least=300),
    Row("K14", "soak with churn", soak, reconnections="any"),
)
