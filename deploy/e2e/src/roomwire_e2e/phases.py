"""The phases that change a release while its clients talk. The rows and their judge are those of the fault suite."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from roomwire_e2e.applications import NEW
from roomwire_e2e.cluster import ClusterError
from roomwire_e2e.following import follow
from roomwire_e2e.keys import rotate_under
from roomwire_e2e.release import SMALL, Pod, Release, release_of
from roomwire_e2e.talking import (
    BACK_S,
    CLIENTS,
    MESSAGES,
    MESSAGES_IN_ONE_ROOM,
    prove_reconnections,
    talking,
    talking_in_one_room,
)
from roomwire_e2e.upgrades import previous, switch, tight
from roomwire_loadtest.faults.stage import Row, Stage

_HPA_S: Final = 180.0


async def _replaced(stage: Stage, act: Callable[[Release, Pod], Awaitable[None]]) -> None:
    """Apply an action to the gateway that holds most clients; prove that it ended, and that its clients reconnected."""
    release = release_of(stage)
    pods = await release.ready("gateway")
    victim = max(pods, key=lambda pod: len(stage.fleet.on_gateway(pod.name)))
    held, began = len(stage.fleet.on_gateway(victim.name)), stage.harm()
    await act(release, victim)
    await release.until_ready("gateway", len(pods), without=[victim.uid])
    await prove_reconnections(stage, began, f"{victim.name} gone", at_least=held)


async def kill(stage: Stage) -> None:
    """End gateways abruptly, as the loss of their node would."""
    async with talking(stage):
        for _ in range(2):
            await _replaced(stage, Release.kill)


async def follow_readme(stage: Stage) -> None:
    """Install what `roomwire new` writes, by the README's lines, and kill its gateways as well."""
    for line in await follow(release_of(stage)):
        stage.prove(True, line)  # noqa: FBT003 - reads like an assertion
    async with talking_in_one_room(stage):
        for _ in range(2):
            await _replaced(stage, Release.kill)


async def drain(stage: Stage) -> None:
    """Evict gateways, as draining a node does."""
    async with talking(stage):
        for _ in range(2):
            await _replaced(stage, Release.evict)


async def upgrade(stage: Stage) -> None:
    """Replace every gateway by `helm upgrade`."""
    release = release_of(stage)
    async with talking(stage):
        before, began = await release.ready("gateway"), stage.harm()
        await release.upgrade({"gateway.podAnnotations.again": "yes"})
        await release.until_ready("gateway", len(before), without=[pod.uid for pod in before])
        await prove_reconnections(
            stage, began, f"{len(before)} pods replaced", at_least=len(stage.fleet.names)
        )


async def scale(stage: Stage) -> None:
    """Scale from two gateways to four, and back to two, by hand."""
    release = release_of(stage)
    await release.upgrade(SMALL)
    async with talking(stage):
        first = await release.until_ready("gateway", 2)
        began = stage.harm()
        await release.scale(4)
        more = await release.until_ready("gateway", 4)
        stage.prove(len(more) > len(first), "2 became 4")
        # Clients that reconnect are spread over the new gateways as well.
        await stage.fleet.tell("drop", stage.fleet.names[::2])
        await stage.fleet.settled(within_s=BACK_S)
        await release.scale(2)
        left = await release.until_ready("gateway", 2)
        gone = {pod.uid for pod in more} - {pod.uid for pod in left}
        stage.prove(len(gone) == len(more) - len(left), f"{len(gone)} of 4 gone")
        await prove_reconnections(stage, began, "4 became 2")


async def autoscale(stage: Stage) -> None:
    """Let the autoscaler follow the number of connections, up and down."""
    release = release_of(stage)
    await release.upgrade(
        {
            **SMALL,
            "gateway.autoscaling.enabled": "true",
            "gateway.autoscaling.maxReplicas": "4",
            "gateway.autoscaling.connections": str(CLIENTS // 2),
            "gateway.autoscaling.cpuPercent": "0",
            "gateway.autoscaling.scaleDownWindowSeconds": "0",
            "gateway.autoscaling.scaleDownPeriodSeconds": "5",
        }
    )
    try:
        async with talking(stage):
            token = await release.token()
            crowd = {f"crowd-{number}": ["lobby"] for number in range(2 * CLIENTS)}
            began = stage.harm()
            await stage.fleet.open(release.url, crowd, auth={"token": token})
            more = await release.until_ready("gateway", 4, within_s=_HPA_S)
            stage.prove(len(more) == 4, f"{len(stage.fleet.names)} connections made 2 gateways 4")  # noqa: PLR2004
            await stage.fleet.tell("close", list(crowd))
            some = [name for name in stage.fleet.names if name.endswith(("-4", "-5"))]
            await stage.fleet.tell("close", some)
            left = await release.until_ready("gateway", 2, within_s=_HPA_S)
            stage.prove(len(left) == 2, f"{len(stage.fleet.names)} connections made them 2 again")  # noqa: PLR2004
            await prove_reconnections(stage, began, "4 became 2")
    finally:
        await release.upgrade()
        await release.until_ready("gateway", 2)


async def keys(stage: Stage) -> None:
    """Rotate the signing key by the release's CronJob."""
    async with talking(stage) as names:
        await rotate_under(stage, names)


async def database(stage: Stage) -> None:
    """Kill Redis' pod; its volume stays, and so does every account."""
    release = release_of(stage)
    account = {"username": "keeper", "password": "a long enough passphrase"}
    with contextlib.suppress(ClusterError):
        await release.post("/auth/register", account)
    async with talking(stage):
        (pod,) = await release.ready("redis")
        began = stage.harm()
        await release.end(pod)
        (other,) = await release.until_ready("redis", 1, without=[pod.uid])
        stage.prove(other.uid != pod.uid, f"{pod.name} gone, another one ready")
        await stage.fleet.settled(within_s=BACK_S)
        stage.note(f"{stage.since(began, 'connect')} reconnections")
    await release.post("/auth/login", account)
    stage.note("the account outlived the pod")


PHASES: Final = (
    Row("kill", "gateways killed, twice", kill, at_least=MESSAGES),
    Row("drain", "gateways evicted, twice", drain, at_least=MESSAGES),
    Row("upgrade", "helm upgrade", upgrade, at_least=MESSAGES),
    Row("previous", "helm upgrade from the commit before", previous, at_least=MESSAGES),
    Row("tight", "helm upgrade with just enough CPU", tight, at_least=MESSAGES),
    Row("scale", "2 to 4 to 2 by hand", scale, at_least=MESSAGES),
    Row("autoscale", "2 to 4 to 2 by connections", autoscale, at_least=MESSAGES),
    Row("switch", "the autoscaler switched on and off", switch, at_least=MESSAGES),
    Row("keys", "the signing key rotated", keys, at_least=MESSAGES),
    Row("redis", "Redis killed, with its volume", database, at_least=MESSAGES),
    Row("kill-app", "gateways of another application killed, twice", kill, at_least=MESSAGES),
    Row("upgrade-app", "helm upgrade of another application", upgrade, at_least=MESSAGES),
    Row(
        "previous-app",
        "helm upgrade of another application from the commit before",
        previous,
        at_least=MESSAGES,
    ),
    Row(NEW, "the README's lines, then gateways killed, twice", follow_readme, at_least=MESSAGES_IN_ONE_ROOM),
)
