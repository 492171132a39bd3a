"""K1, K2, K3, K13: gateways are killed, drained, replaced and paused."""

import asyncio
import signal
from collections import Counter
from functools import partial
from typing import Final

from roomwire_loadtest.faults.stage import Row, Stage
from roomwire_loadtest.faults.system import DRAIN_S, PING_TIMEOUT_S

_GRACE_S: Final = DRAIN_S + 5.0
_DOWN_S: Final = 0.7
_LOOK_S: Final = 2.5


async def killed(stage: Stage) -> None:
    """K1: the gateway with most clients is killed under load and restarted, many times."""
    async with stage.load(await stage.gather()):
        for _ in stage.rounds(20, 3):
            victim = fullest(stage)
            held = stage.fleet.on_gateway(victim)
            began = stage.harm()
            gateway = stage.system.gateways[victim]
            gateway.kill()
            await asyncio.sleep(_DOWN_S)
            await stage.come_true(
                partial(_are_cut_off, stage, began, len(held)),
                f"{victim} killed, {len(held)} clients cut off",
            )
            stage.prove(gateway.handle.returncode == -signal.SIGKILL, f"{victim} was killed")
            gateway.start()
            await gateway.ready()
            await stage.fleet.settled()
            await asyncio.sleep(_LOOK_S)


def _are_cut_off(stage: Stage, began: float, clients: int) -> bool:
    return stage.since(began, "disconnect") >= clients > 0


async def drained(stage: Stage) -> None:
    """K2: SIGTERM under load; clients leave spread over the drain window, and no connection is refused."""
    async with stage.load(await stage.gather()):
        for _ in stage.rounds(6, 1):
            await _drain(stage, fullest(stage))
            await stage.fleet.settled()
            await asyncio.sleep(_LOOK_S)


async def rolled(stage: Stage) -> None:
    """K3: all gateways are replaced one after another, as a rollout does."""
    async with stage.load(await stage.gather()):
        for _ in stage.rounds(3, 1):
            for name in stage.system.gateways:
                await _drain(stage, name, check_spread=False)
                await stage.fleet.settled()
            await asyncio.sleep(_LOOK_S)


async def paused(stage: Stage) -> None:
    """K13: a gateway is paused for one and for three ping timeouts, and resumes."""
    async with stage.load(await stage.gather()):
        for times in (1, 3):
            victim = fullest(stage)
            held = set(stage.fleet.on_gateway(victim))
            began = stage.harm()
            stage.system.gateways[victim].send(signal.SIGSTOP)
            await asyncio.sleep(times * PING_TIMEOUT_S)
            stage.system.gateways[victim].send(signal.SIGCONT)
            await stage.fleet.settled()
            await asyncio.sleep(_LOOK_S)
            cut = {
                entry.client
                for entry in stage.fleet.entries
                if entry.kind == "disconnect" and entry.at_ms >= began
            }
            stage.prove(
                bool(held),
                f"{victim} stood still for {times * PING_TIMEOUT_S:.0f} s with {len(held)} clients",
            )
            stage.note(f"{times}x: {len(cut)} of {len(held)} cut off")
            stage.hold(not cut - held, f"{len(cut - held)} clients of other gateways were cut off")
            if times == 1:
                stage.hold(not cut, f"a pause of one ping timeout cut off {len(cut)} clients")


def fullest(stage: Stage) -> str:
    """Return the gateway with most clients."""
    held = Counter(entry.gateway for entry in stage.fleet.connected.values())
    return held.most_common(1)[0][0]


async def _drain(stage: Stage, name: str, *, check_spread: bool = True) -> None:
    held = set(stage.fleet.on_gateway(name))
    began = stage.harm()
    gateway = stage.system.gateways[name]
    gateway.send(signal.SIGTERM)
    took_s = await gateway.ended(30)
    await stage.come_true(
        lambda: held <= {one.client for one in stage.fleet.entries if one.kind == "disconnect"},
        f"all {len(held)} clients left {name}",
    )
    gone_ms = [
        entry.at_ms - began
        for entry in stage.fleet.entries
        if entry.kind == "disconnect" and entry.at_ms >= began and entry.client in held
    ]
    refused = stage.since(began, "refused")
    stage.prove(len(gone_ms) >= len(held), f"{name} drained in {took_s:.1f} s, {len(gone_ms)} clients left")
    stage.hold(gateway.handle.returncode == 0, f"{name} ended with status {gateway.handle.returncode}")
    stage.hold_time(took_s <= _GRACE_S, f"{name} took {took_s:.1f} s to end")
    stage.hold(refused == 0, f"{refused} connections were refused while {name} drained")
    if check_spread and gone_ms:
        spread_ms = max(gone_ms) - min(gone_ms)
        stage.note(f"{len(gone_ms)} left over {spread_ms / 1000:.1f} s")
        stage.hold_time(spread_ms >= 500 * DRAIN_S, f"all left within {spread_ms:.0f} ms")
    gateway.start()
    await gateway.ready()
    # The ingress checks every second.
    await asyncio.sleep(1.5)


ROWS: Final = (
    Row("K1", "SIGKILL a gateway, again and again", killed, back_within_s=2.0),
    Row("K2", "SIGTERM: drain", drained, back_within_s=2.0 + DRAIN_S),
    Row("K3", "rolling restart of all gateways", rolled, gateways=3, back_within_s=2.0 + DRAIN_S),
    Row("K13", "SIGSTOP a gateway, 1x and 3x the ping timeout", paused),
)
