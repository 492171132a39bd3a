"""K8, K11, K12: partitions, flapping networks, requests that reach the wrong gateway."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from roomwire_loadtest.faults.cutter import HOST, Cutter, run_cutters
from roomwire_loadtest.faults.daemons import START_TIMEOUT_S, Daemon
from roomwire_loadtest.faults.namespace import REDIS, Way
from roomwire_loadtest.faults.stage import RATE, Row, Skipped, Stage
from roomwire_local.free_ports import free_ports
from roomwire_local.ingress import Entry, write_round_robin_config

_PERIOD_S: Final = 10.0
_AWAY_S: Final = 2.0
_PHASES: Final = 5
_HEARTBEAT_S: Final = 5.0
WAYS: Final[tuple[Way, ...]] = ("both", "out", "in")


async def flapping(stage: Stage) -> None:
    """K11: each client's network is down for two seconds in every ten, not all at once."""
    cutters = await stage.resources.enter_async_context(run_cutters(stage.system.port, _PHASES))
    publishers = await stage.gather(url=[cutter.url for cutter in cutters])
    async with stage.load(publishers):
        await asyncio.gather(*(_flap(stage, cutter, number) for number, cutter in enumerate(cutters)))
        await stage.fleet.settled()
    cut = sum(cutter.cuts for cutter in cutters)
    stage.prove(cut >= _PHASES, f"{cut} connections were cut")


async def partitioned(stage: Stage) -> None:
    """K8: a gateway and Redis are disconnected, in both directions and in one; clients still reach the gateway."""
    namespace = stage.system.namespace
    if namespace is None:
        raise Skipped("the gateway has no namespace")
    name = stage.system.isolated
    async with stage.load(await stage.gather()):
        for way in WAYS:
            held = stage.fleet.on_gateway(name)
            stage.harm()
            namespace.partition(way)
            try:
                seen_s = await _degraded_after(stage, name)
                stage.prove(
                    await _is_cut_off(stage), f"{way}: {name} does not reach Redis, {len(held)} clients"
                )
                stage.hold(seen_s < _HEARTBEAT_S, f"{way}: the partition was seen after {seen_s:.1f} s")
                stage.note(f"{way}: seen after {seen_s:.1f} s")
                # These clients reconnect to either gateway, while their previous gateway cannot report that they left.
                await stage.fleet.tell("drop", held[::2])
                await asyncio.sleep(2 if stage.quick else 6)
            finally:
                namespace.heal()
            await stage.fleet.settled()
            await asyncio.sleep(3)


async def lossy(stage: Stage) -> None:
    """K8: the link to Redis is slow, then loses every twentieth packet."""
    namespace = stage.system.namespace
    if namespace is None:
        raise Skipped("the gateway has no namespace")
    async with stage.load(await stage.gather()):
        for netem in (("delay", "100ms", "20ms"), ("loss", "5%")):
            stage.harm()
            namespace.worsen(*netem)
            stage.prove(True, f"tc netem {' '.join(netem)}")  # noqa: FBT003 - tc would have failed
            await asyncio.sleep(3 if stage.quick else 10)
        await stage.fleet.settled()


async def _degraded_after(stage: Stage, gateway: str) -> float:
    """Return how long a gateway took to report that its backplane is not whole."""
    began = time.monotonic()
    while time.monotonic() - began < _HEARTBEAT_S:
        if (await stage.system.health(gateway)).get("backplane") != "ok":
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _is_cut_off(stage: Stage) -> bool:
    namespace = stage.system.namespace
    if namespace is None:
        return False
    script = f"import socket; socket.create_connection(('{REDIS}', {stage.system.valkey.port}), timeout=1)"
    trying = await asyncio.create_subprocess_exec(
        *namespace.prefix, sys.executable, "-c", script, stderr=asyncio.subprocess.DEVNULL
    )
    return await trying.wait() != 0


async def _flap(stage: Stage, cutter: Cutter, number: int) -> None:
    await asyncio.sleep(number * _PERIOD_S / _PHASES)
    for _ in stage.rounds(6, 1):
        stage.harm()
        await cutter.cut()
        await asyncio.sleep(_AWAY_S)
        await cutter.attach()
        await asyncio.sleep(_PERIOD_S - _AWAY_S)


async def misrouted(stage: Stage) -> None:
    """K12: an ingress without affinity distributes requests in turn; then a session's owner is killed."""
    url = await stage.resources.enter_async_context(_round_robin(stage))
    stage.prove(True, await _ask_the_wrong_one(stage))  # noqa: FBT003 - it was asked, whatever it said
    publishers = await stage.gather(rooms=2, prefix="p", url=url, transports=["polling"], pace_ms=50)
    await stage.gather(rooms=2, prefix="u", url=url, transports=["polling", "websocket"], pace_ms=50)
    refused = stage.since(0, "refused")
    stage.hold(refused == 0, f"{refused} connections failed while all gateways lived")
    async with stage.load(publishers, rate=2 * RATE):
        victim = next(iter(stage.system.gateways.values()))
        held = stage.fleet.on_gateway(victim.name)
        stage.harm()
        victim.kill()
        stage.prove(bool(held), f"the owner of {len(held)} clients was killed")
        await asyncio.sleep(1.0)
        victim.start()
        await victim.ready()
        await stage.fleet.settled()
        await asyncio.sleep(3)


async def _ask_the_wrong_one(stage: Stage) -> str:
    """Open a session on one gateway and poll another gateway for it."""
    first, second = (f"http://{HOST}:{port}/socket.io/" for port in list(stage.system.ports.values())[:2])
    query = {"EIO": "4", "transport": "polling"}
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
        opened = json.loads((await http.get(first, params=query)).text[1:])
        answer = await http.post(second, params={**query, "sid": opened["sid"]}, content="40")
        await http.post(first, params={**query, "sid": opened["sid"]}, content="1")
    stage.hold(
        answer.status_code == httpx.codes.OK,
        f"a request that reached the wrong gateway got {answer.status_code}",
    )
    return f"asked the wrong gateway: {answer.status_code}"


async def _until_routed(url: str) -> None:
    """Wait until gateways refuse a malformed request: a proxy that has not read its routes yet answers 404."""
    async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
        while (await http.get(f"{url}/socket.io/")).status_code != httpx.codes.BAD_REQUEST:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _round_robin(stage: Stage) -> AsyncIterator[str]:
    """Run a second Traefik, without any affinity."""
    port, ping_port = free_ports(2)
    folder = stage.system.folder
    gateways = list(stage.system.ports.values())
    static = write_round_robin_config(folder, Entry(port, ping_port, HOST), gateways=gateways)
    proxy = Daemon(
        "round-robin",
        [str(Path(sys.executable).parent / "traefik"), f"--configFile={static}"],
        dict(os.environ),
        f"http://{HOST}:{ping_port}/ping",
        folder / "round-robin.log",
    )
    proxy.start()
    try:
        await proxy.ready()
        await _until_routed(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        proxy.kill()


ROWS: Final = (
    Row("K8 partition", "a gateway and Redis parted, both ways and one", partitioned, isolated=True),
    Row("K8 netem", "a slow, a lossy way to Redis", lossy, isolated=True),
    Row("K11", "every client's network drops 2 s in every 10 s", flapping),
    Row("K12", "requests reach the wrong gateway", misrouted, at_least=150),
)
