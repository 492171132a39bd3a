"""The rows with several nodes and a Redis between them, other than those of rooms: the cost of the log."""

import contextlib
import dataclasses
import re
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import redis

from roomwire_loadtest.bench.results import Figure, Verdict
from roomwire_loadtest.bench.rows.rooms import NODES_FAN_OUT, NODES_ROOMS, Stage, describe
from roomwire_loadtest.bench.rows.trial import UNDER_WAY, Found, Trial, connect
from roomwire_loadtest.bench.servers.kinds import KINDS, Running, started
from roomwire_loadtest.generator.crowd import Crowd
from roomwire_loadtest.generator.dialects import TEXT_BYTES
from roomwire_loadtest.generator.links import HOST, Flow, Opening, open_links
from roomwire_loadtest.generator.masking import masked
from roomwire_loadtest.usage import Usage

_LIGHT_PER_S: Final = 500.0
_LONG_S: Final = 3
"""How many times longer than a confirmed rate the CPU of an operation is measured: the system counts it in steps of 10 ms."""
_NUMBERS: Final = (1, 2, 4, 8)
_OFFSET: Final = re.compile(rb'42\["roomMessage",".*","([^"]+)"\]')
_SECRET: Final = re.compile(rb'"pid":"([^"]+)"')
_ROOM_SIZE: Final = 10
_MISSED: Final = 5
_ROUNDS_OF_TALK: Final = 20
_REST_S: Final = 1.0
_FILL: Final = "x" * TEXT_BYTES


def latency(trial: Trial) -> Found:
    """Measure what the log between nodes adds to a delivery under a light load, compared with one gateway without it."""
    alone = dataclasses.replace(trial, kind=KINDS["ours"])
    points = []
    for each in (alone, trial):
        stage = Stage(NODES_ROOMS, each)
        try:
            stage.warm_up()
            point = stage.point(_LIGHT_PER_S, trial.effort.confirm_s)
        finally:
            stage.close()
        trial.tell(describe(point))
        points.append(point)
    without, with_log = points
    if without.p99_ms is None or with_log.p99_ms is None:
        note = "not all arrived"
        return Found([_figure(trial, row, None, note=note) for row in ("added-p50", "added-p99")], [])
    added = (with_log.p50_ms or 0.0) - (without.p50_ms or 0.0), with_log.p99_ms - without.p99_ms
    shares = with_log.generator_cpu, with_log.server_cpu, with_log.others_cpu
    return Found(
        [
            _figure(trial, f"added-{name}", value, shares)
            for name, value in zip(("p50", "p99"), added, strict=True)
        ],
        [],
    )


def flatness(trial: Trial) -> Found:
    """Measure the cost of a message to a room whose members are all on one node, with more and more nodes."""
    figures = []
    for number in _NUMBERS:
        kind = dataclasses.replace(trial.kind, nodes=number)
        with started(kind, trial.core) as running:
            here = dataclasses.replace(running, ports=running.ports[:1])
            rooms = [f"room-{client // _ROOM_SIZE:04}" for client in range(200)]
            links = connect(here, rooms)
            crowd = Crowd(links, kind.dialect, sampled=0)
            speakers = [(link, kind.dialect.chat(room)) for link, room in zip(links, rooms, strict=True)]
            try:
                crowd.offer(speakers, _ROOM_SIZE, _LIGHT_PER_S, 1.0, grace_s=1.0)
                crowd.settle(_REST_S)
                usage, before = Usage(running.process), _cpu_s(running)
                burst = crowd.offer(
                    speakers, _ROOM_SIZE, 2 * _LIGHT_PER_S, trial.effort.confirm_s, grace_s=1.0
                )
                used = {name: spent - before[name] for name, spent in _cpu_s(running).items()}
                shares = usage.shares()
            finally:
                crowd.close()
        cost_us = 1e6 * sum(used.values()) / burst.sent
        others = 1e6 * sum(spent for name, spent in used.items() if name.startswith("other")) / burst.sent
        trial.tell(
            f"{number} nodes: {cost_us:.0f} us a message, {others:.0f} of them by nodes without a member"
        )
        figures.append(_figure(trial, f"cost-{number}", cost_us, shares))
    return Found(figures, [])


def spent(trial: Trial) -> Found:
    """Measure the CPU of nodes and Redis for a delivery to a large room and for a message to a small one, at a light load."""
    figures = []
    for row, rooms, rate, operations in (
        ("cpu-delivery", NODES_FAN_OUT, 20.0, NODES_FAN_OUT.room_size),
        ("cpu-message", NODES_ROOMS, 200.0, 1),
    ):
        stage = Stage(rooms, trial)
        try:
            stage.warm_up()
            point = stage.point(rate, _LONG_S * trial.effort.confirm_s)
        finally:
            stage.close()
        trial.tell(describe(point))
        cost_us = 1e6 * point.server_cpu / (rate * operations)
        held = point.verdict is Verdict.HELD
        figures.append(
            _figure(
                trial,
                row,
                cost_us if held else None,
                (point.generator_cpu, point.server_cpu, point.others_cpu),
                note="" if held else "it did not keep up",
            )
        )
    return Found(figures, [])


def _cpu_s(running: Running) -> dict[str, float]:
    """Return the CPU seconds that the Redis, the first node and the other nodes have used."""
    used: dict[str, float] = {}
    for process in running.process.children():
        port = process.environ().get("PORT")
        name = "redis" if port is None else "first" if port == str(running.ports[0]) else f"other {port}"
        times = process.cpu_times()
        used[name] = times.user + times.system
    return used


def recoveries(trial: Trial) -> Found:
    """Cut the transports of 2,000 clients at once, and let them all reconnect to the other node."""
    with started(trial.kind, trial.core) as running:
        first, second = running.ports
        count = trial.effort.recovered
        rooms = [f"room-{client // _ROOM_SIZE:04}" for client in range(count)]
        sessions: dict[Opening, bytes] = {}

        def hear_something(opening: Opening) -> Flow:
            link = yield from opening.websocket()
            link.send(running.kind.dialect.chat(opening.room or "").at(0))
            while (found := _OFFSET.match((yield from link.text()))) is None:
                pass
            (secret,) = _SECRET.findall(opening.answer)
            sessions[opening] = msgspec.json.encode({"pid": secret.decode(), "offset": found[1].decode()})
            return link

        openings = [Opening(first, running.kind.dialect, room) for room in rooms]
        for link in open_links(openings, hear_something, under_way=UNDER_WAY):
            link.close()
        _speak(running, second, sorted(set(rooms)))
        time.sleep(_REST_S)
        returning = [
            Opening(second, running.kind.dialect, None, auth=sessions[opening]) for opening in openings
        ]
        usage, began = Usage(running.process), time.perf_counter()
        links = open_links(returning, _with_all_that_was_missed, under_way=count)
        took_s = time.perf_counter() - began
        shares = usage.shares()
        for link in links:
            link.close()
    again = sum(
        _SECRET.findall(one.answer) == _SECRET.findall(other.answer)
        for one, other in zip(openings, returning, strict=True)
    )
    note = "" if again == count else f"only {again} of {count} were recovered"
    return Found([_figure(trial, "recoveries", took_s if not note else None, shares, note=note)], [])


def _with_all_that_was_missed(opening: Opening) -> Flow:
    link = yield from opening.websocket()
    for _ in range(_MISSED):
        while not (yield from link.text()).startswith(b'42["roomMessage"'):
            pass
    return link


def _speak(running: Running, port: int, rooms: Sequence[str]) -> None:
    """Send each room a few messages, from a client that is not in it."""

    def speak(opening: Opening) -> Flow:
        link = yield from opening.websocket()
        for _ in range(_MISSED):
            for room in rooms:
                body = msgspec.json.encode({"roomId": room, "message": _FILL})
                link.send(masked(b'42["chatMessage",%s]' % body))
            # A server limits how many events of one client may be in flight.
            link.send(running.kind.dialect.echo)
            while not (yield from link.text()).startswith(b"431["):
                pass
        return link

    for link in open_links([Opening(port, running.kind.dialect, None)], speak, under_way=1):
        link.close()


def memory(trial: Trial) -> Found:
    """Measure the Redis memory of an idle session and of a message that is kept."""
    with started(trial.kind, trial.core) as running:
        usage, rooms = Usage(running.process), [f"room-{number:04}" for number in range(100)]
        links = connect(running, [None] * trial.effort.recovered)
        for _ in range(_ROUNDS_OF_TALK):
            _speak(running, running.ports[0], rooms)
        with contextlib.closing(redis.Redis(host=HOST, port=running.redis_port)) as client:
            sessions = [client.memory_usage(key, samples=0) or 0 for key in client.scan_iter("*:session:*")]
            streams = list(client.scan_iter("*:room:r:*"))
            kept = sum(client.memory_usage(key, samples=0) or 0 for key in streams)
            messages = sum(client.xlen(key) for key in streams)
        for link in links:
            link.close()
        shares = usage.shares()
    weights = {"redis-session": sum(sessions) / len(sessions), "redis-message": kept / messages}
    return Found([_figure(trial, row, weight, shares) for row, weight in weights.items()], [])


def _figure(
    trial: Trial,
    row: str,
    value: float | None,
    shares: tuple[float, float, float] = (0.0, 0.0, 0.0),
    *,
    note: str = "",
) -> Figure:
    generator, server, others = shares
    return Figure(
        row=row,
        server=trial.kind.name,
        round=trial.round,
        value=value,
        note=note,
        generator_cpu=generator,
        server_cpu=server,
        others_cpu=others,
    )
