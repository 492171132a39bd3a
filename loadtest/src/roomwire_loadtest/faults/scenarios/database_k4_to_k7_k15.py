"""K4, K5, K6, K7, K15: the database dies, loses its data, is paused, drops subscribers, is full."""

import asyncio
import contextlib
import signal
import time
from typing import Final

import httpx

from roomwire_loadtest.faults.cutter import HOST
from roomwire_loadtest.faults.daemons import Valkey
from roomwire_loadtest.faults.homes import ClusterHome, SentinelHome, is_primary, until
from roomwire_loadtest.faults.stage import RATE, Row, Stage
from roomwire_local.free_ports import free_ports

_DOWN_S: Final = 1.0
_LOOK_S: Final = 3.0
_LAG_S: Final = 1.0
_LIVE_S: Final = 1.0
_BURST_RATE: Final = 30.0


async def restarted(stage: Stage) -> None:
    """K4: the database is killed and restarted on its append-only file."""
    async with stage.load(await stage.gather()):
        for _ in stage.rounds(5, 1):
            await _kill_and_start(stage, emptied=False)


async def emptied(stage: Stage) -> None:
    """K4: the database is killed and restarted without its data: every client has to be told."""
    async with stage.load(await _gather_users(stage)):
        await _kill_and_start(stage, emptied=True)
        await _tell_all(stage, "the log was emptied")


async def stood_still(stage: Stage) -> None:
    """K5: the process is stopped for ten seconds; then it answers no client for three."""
    async with stage.load(await stage.gather()):
        for_s = 3 if stage.quick else 10
        before = await stage.system.valkey.ask("INFO", "server")
        began = stage.harm()
        stage.system.valkey.send(signal.SIGSTOP)
        try:
            longest_s = await _longest_livez(stage, for_s)
        finally:
            stage.system.valkey.send(signal.SIGCONT)
        await stage.fleet.settled()
        await asyncio.sleep(_LOOK_S)
        after = await stage.system.valkey.ask("INFO", "server")
        stage.prove(
            before["run_id"] == after["run_id"], f"Valkey stood still for {for_s} s and is the same process"
        )
        stage.prove(longest_s > 0, "the gateways were asked meanwhile")
        stage.note(f"livez at most {1000 * longest_s:.0f} ms")
        stage.hold(longest_s < _LIVE_S, f"a gateway's loop was blocked for {longest_s:.1f} s")
        stage.harm()
        await stage.system.valkey.ask("CLIENT", "PAUSE", "3000", "ALL")
        await asyncio.sleep(3 + _LOOK_S)
        await stage.fleet.settled()
        unanswered = sum(
            entry.kind == "unknown" and "timed out" in entry.detail and entry.at_ms >= began
            for entry in stage.fleet.entries
        )
        stage.note(f"{stage.since(began, 'failed')} refusals")
        stage.hold(unanswered == 0, f"{unanswered} publishes had no answer within 4 s")


async def failed_over(stage: Stage) -> None:
    """K6: a replica that is a second of writes behind is promoted; entries that only the primary had are gone.

    The proxy in front of Redis then forwards to the new primary, as a Sentinel's answer or a service's address would.
    """
    system = stage.system
    replica = Valkey(
        system.folder, free_ports(1)[0], "--replicaof", f"{HOST} {system.valkey.port}", name="replica"
    )
    stage.resources.callback(replica.kill)
    replica.start()
    await replica.ready()
    async with stage.load(await _gather_users(stage)):
        while (await replica.ask("INFO", "replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        await replica.ask("REPLICAOF", "NO", "ONE")
        parted = stage.harm()
        await asyncio.sleep(_LAG_S)
        unreplicated = stage.since(parted, "acked")
        system.valkey.kill()
        await system.redis_door.cut()
        system.redis_door.lead_to(replica.port)
        await asyncio.sleep(_DOWN_S)
        await system.redis_door.attach()
        stage.prove(unreplicated > 0, f"{unreplicated} acknowledged messages were not replicated")
        await asyncio.sleep(_LOOK_S)
        await stage.fleet.settled()
        await asyncio.sleep(_LOOK_S)
        await _tell_all(stage, "acknowledged entries are gone")


async def failed_over_by_sentinels(stage: Stage) -> None:
    """K6: the primary is killed, and Sentinels promote a replica that is a second of writes behind."""
    home = stage.system.home
    if not isinstance(home, SentinelHome):
        raise TypeError("this row needs Sentinels")
    async with stage.load(await _gather_users(stage)):
        await home.part()
        parted = stage.harm()
        await asyncio.sleep(_LAG_S)
        unreplicated = stage.since(parted, "acked")
        home.primary.kill()
        stage.prove(unreplicated > 0, f"{unreplicated} acknowledged messages were not replicated")
        await until(lambda: is_primary(home.replica))
        await asyncio.sleep(_LOOK_S)
        await stage.fleet.settled()
        await asyncio.sleep(_LOOK_S)
        told = {entry.client for entry in stage.fleet.entries if entry.kind == "disconnect"}
        untold = set(stage.fleet.names) - told
        stage.hold(not untold, f"{len(untold)} clients were never told that acknowledged entries are gone")


async def failed_over_in_a_cluster(stage: Stage) -> None:
    """K6: the primary that has the log is killed; its replica, which is hardly behind, is elected."""
    home = _cluster(stage)
    async with stage.load(await stage.gather()):
        stage.harm()
        home.primary.kill()
        await until(lambda: is_primary(home.replica))
        stage.prove(happened=True, sentence="the replica was elected")
        await asyncio.sleep(_LOOK_S)
        await stage.fleet.settled()
        await asyncio.sleep(_LOOK_S)


async def slot_moved(stage: Stage) -> None:
    """K6: the log's slot is moved to another primary of the cluster."""
    home = _cluster(stage)
    async with stage.load(await stage.gather()):
        stage.harm()
        await home.move(home.members[1])
        stage.prove(
            await home.members[1].ask("EXISTS", "rw:{0}:log") == 1, "the log is at another primary now"
        )
        await asyncio.sleep(_LOOK_S)
        await stage.fleet.settled()
        await asyncio.sleep(_LOOK_S)


def _cluster(stage: Stage) -> ClusterHome:
    home = stage.system.home
    if not isinstance(home, ClusterHome):
        raise TypeError("this row needs a cluster")
    return home


async def subscribers_killed(stage: Stage) -> None:
    """K7: the subscribers' connections are killed, then their output buffers are made tiny and overrun."""
    valkey = stage.system.valkey
    publishers = await stage.gather()
    async with stage.load(publishers):
        for _ in stage.rounds(10, 3):
            stage.harm()
            killed = int(await valkey.ask("CLIENT", "KILL", "TYPE", "pubsub"))
            stage.prove(killed > 0, f"{killed} subscribers killed")
            await asyncio.sleep(1.5)
        await valkey.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1024 1024 1")
        await stage.fleet.publish(publishers, rate=_BURST_RATE)
        for _ in stage.rounds(5, 2):
            # The backlog is pushed at once, and may be more than the buffer holds.
            stage.harm()
            valkey.send(signal.SIGSTOP)
            await asyncio.sleep(0.5)
            valkey.send(signal.SIGCONT)
            await asyncio.sleep(1.5)
        stats = await valkey.ask("INFO", "stats")
        overrun = int(stats["client_output_buffer_limit_disconnections"])
        stage.note(f"{overrun} overrun subscribers")
        stage.prove(overrun > 0, f"{overrun} subscribers dropped for their output buffers")
        await valkey.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60")
        await asyncio.sleep(_LOOK_S)


async def full(stage: Stage) -> None:
    """K15: the memory is full: publishes are refused with an error, and work again once there is memory."""
    valkey = stage.system.valkey
    async with stage.load(await stage.gather(), rate=RATE):
        began = stage.harm()
        await valkey.ask("CONFIG", "SET", "maxmemory", "1mb")
        await asyncio.sleep(_LOOK_S)
        refused = stage.since(began, "failed")
        acked = sum(entry.kind == "acked" and entry.at_ms > began + 500 for entry in stage.fleet.entries)
        errors = int((await valkey.ask("INFO", "errorstats")).get("errorstat_OOM", {}).get("count", 0))
        await valkey.ask("CONFIG", "SET", "maxmemory", "0")
        stage.prove(errors > 0, f"Valkey refused {errors} commands for want of memory")
        stage.note(f"{refused} refusals")
        stage.hold(refused > 0, "no publish was refused")
        stage.hold(acked == 0, f"{acked} publishes were acknowledged though nothing could be written")
        await asyncio.sleep(_LOOK_S)
        stage.hold(
            any(entry.kind == "acked" for entry in stage.fleet.entries[-500:]), "publishing did not resume"
        )


async def _gather_users(stage: Stage) -> list[str]:
    """Open the usual clients with a token, so their message ids stay theirs in the new session that they get."""
    return await stage.gather(auth={"token": stage.system.token("all")})


async def _kill_and_start(stage: Stage, *, emptied: bool) -> None:
    valkey = stage.system.valkey
    before = (await valkey.ask("INFO", "server"))["run_id"]
    stage.harm()
    valkey.kill()
    if emptied:
        valkey.empty()
    await asyncio.sleep(_DOWN_S)
    valkey.start()
    await valkey.ready()
    after = (await valkey.ask("INFO", "server"))["run_id"]
    stage.prove(before != after, f"Valkey {'emptied' if emptied else 'restarted'}")
    await asyncio.sleep(_LOOK_S)
    await stage.fleet.settled()
    await asyncio.sleep(_LOOK_S)


async def _tell_all(stage: Stage, what: str) -> None:
    """Wait until all clients have been disconnected, which is how they are told; note whether they were."""

    def untold() -> set[str]:
        told = {entry.client for entry in stage.fleet.entries if entry.kind == "disconnect"}
        return set(stage.fleet.names) - told

    with contextlib.suppress(TimeoutError):
        await stage.fleet.until(lambda: not untold(), within_s=30)
    stage.hold(not untold(), f"{len(untold())} clients were never told that {what}")
    await stage.fleet.settled()


async def _longest_livez(stage: Stage, for_s: float) -> float:
    """Poll `/livez` of all gateways for a while; returns the longest time that an answer took."""
    longest_s = 0.0
    deadline = time.monotonic() + for_s
    async with httpx.AsyncClient(trust_env=False, timeout=for_s) as http:
        while time.monotonic() < deadline:
            for port in stage.system.ops.values():
                began = time.monotonic()
                await http.get(f"http://{HOST}:{port}/livez")
                longest_s = max(longest_s, time.monotonic() - began)
            await asyncio.sleep(0.1)
    return longest_s


ROWS: Final = (
    Row("K4 aof", "Redis SIGKILL, restart on its append-only file", restarted),
    Row("K4 emptied", "Redis SIGKILL, restart without data", emptied, reconnections="none recovered"),
    Row("K5", "Redis SIGSTOP, CLIENT PAUSE", stood_still),
    Row(
        "K6",
        "lagging replica promoted",
        failed_over,
        reconnections="none recovered",
        failover=True,
    ),
    Row(
        "K6 sentinel",
        "primary SIGKILLed, Sentinels promote a lagging replica",
        failed_over_by_sentinels,
        reconnections="none recovered",
        home=SentinelHome,
    ),
    Row(
        "K6 cluster",
        "primary of a cluster SIGKILLed, its replica elected",
        failed_over_in_a_cluster,
        reconnections="any",
        home=ClusterHome,
    ),
    Row("K6 slot", "the log's slot moved within a cluster", slot_moved, home=ClusterHome),
    Row("K7", "CLIENT KILL TYPE pubsub; tiny output buffers", subscribers_killed),
    Row("K15", "Redis out of memory", full),
)
