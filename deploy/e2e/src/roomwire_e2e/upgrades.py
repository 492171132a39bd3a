"""Upgrades under load that may replace only what changed; UIDs of pods and volumes prove what stayed."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from roomwire_e2e import images
from roomwire_e2e.release import CHART, SMALL, release_of
from roomwire_e2e.room import room_for
from roomwire_e2e.talking import BACK_S, prove_reconnections, talking
from roomwire_loadtest.faults.stage import Skipped, Stage

_PREVIOUS: Final = "previous"
_WAITS_S: Final = 60.0
_TIGHT_M: Final = 50
"""Free CPU, in millicores, that is too little for any pod of the release."""
_REDIS_LEAVES_M: Final = 300
"""Free CPU that is enough for a gateway only once Redis' pod has gone: a gateway needs 500, Redis releases 250."""
_IN_PLACE: Final = {
    f"{service}.rollout.{name}": value
    for service in images.SERVICES
    for name, value in (("maxSurge", "0"), ("maxUnavailable", "1"))
}


@contextlib.contextmanager
def raised(chart: Path = CHART) -> Iterator[Path]:
    """Provide a copy of the chart with a higher version and no other change, while the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / chart.name
        shutil.copytree(chart, copy)
        described = (copy / "Chart.yaml").read_text("utf-8")
        higher = re.sub(r"^version: .*$", "version: 99.0.0", described, flags=re.MULTILINE)
        (copy / "Chart.yaml").write_text(higher, encoding="utf-8")
        yield copy


async def previous(stage: Stage) -> None:
    """Upgrade from the previous commit to this one, and then to a chart that only has a higher version."""
    release = release_of(stage)
    async with images.checkout_of("HEAD^") as tree:
        chart = tree / "deploy" / "helm" / "roomwire"
        if not release.fits(chart):
            raise Skipped("HEAD^ has a chart that cannot serve this application")
        await images.build(release.cluster, _PREVIOUS, checkout=tree)
        tags = {f"{service}.image.tag": _PREVIOUS for service in images.SERVICES}
        await release.upgrade(tags, chart=chart)
    old = await release.ready("gateway")
    volume = await release.volume()
    async with talking(stage):
        began = stage.harm()
        await release.upgrade()
        await release.until_ready("gateway", len(old), without=[pod.uid for pod in old])
        await prove_reconnections(
            stage, began, "the version before replaced", at_least=len(stage.fleet.names)
        )
        await _raise_version(stage)
    stage.hold(volume == await release.volume(), "Redis' volume did not stay")


async def _raise_version(stage: Stage) -> None:
    release = release_of(stage)
    before = await release.uids()
    with raised() as chart:
        await release.upgrade(chart=chart)
    after = await release.uids()
    stage.hold(before == after, f"the chart's version was raised, and {before} became {after}")
    stage.note(f"the chart's version was raised: {len(after)} pods stayed, Redis' among them")


async def tight(stage: Stage) -> None:
    """Upgrade where there is no room for one more pod, and where Redis and new gateways compete for the same room."""
    release = release_of(stage)
    async with talking(stage):
        async with room_for(release, _TIGHT_M):
            await _raise_version(stage)
        await _replace_redis_beside_gateways(stage)
    await release.upgrade()
    await release.until_ready("gateway", 2)


async def _replace_redis_beside_gateways(stage: Stage) -> None:
    release = release_of(stage)
    gateways, (redis,) = await release.ready("gateway"), await release.ready("redis")
    values = {"redis.maxMemory": "320mb", "gateway.podAnnotations.tight": "yes"}
    async with room_for(release, _REDIS_LEAVES_M):
        began = stage.harm()
        await release.upgrade(values, waits=False)
        await release.until_ready("redis", 1, without=[redis.uid], within_s=_WAITS_S)
        there = {pod.uid for pod in await release.ready("gateway")}
        stage.prove(there == {pod.uid for pod in gateways}, "Redis was replaced while a new gateway waited")
        await stage.fleet.settled(within_s=BACK_S)
        await release.upgrade({**values, **_IN_PLACE})
        await release.until_ready("gateway", len(gateways), without=[pod.uid for pod in gateways])
        await prove_reconnections(stage, began, "gateways replaced in place", at_least=len(stage.fleet.names))


async def switch(stage: Stage) -> None:
    """Switch the autoscaler on with four gateways, and off again: all four stay until another number is requested."""
    release = release_of(stage)
    # Step by step: four large gateways do not fit beside small ones.
    await release.upgrade(SMALL)
    await release.upgrade({**SMALL, "gateway.replicas": "4"})
    try:
        async with talking(stage):
            await release.until_ready("gateway", 4)
            before = await release.uids()
            async with _staying(stage, before, "switched on"):
                await release.upgrade(
                    {**SMALL, "gateway.autoscaling.enabled": "true", "gateway.autoscaling.cpuPercent": "0"}
                )
                await release.until_scaled(4)
            async with _staying(stage, before, "switched off"):
                await release.upgrade(SMALL)
            async with _staying(stage, before, "upgraded once more"):
                await release.upgrade(SMALL)
            stage.harm()
            await release.upgrade({**SMALL, "gateway.replicas": "3"})
            left = await release.until_ready("gateway", 3)
            # The pod that was removed may have had no clients.
            stage.prove(
                {pod.uid for pod in left} < {*before.values()}, "three were asked for: one of four went"
            )
            await stage.fleet.settled(within_s=BACK_S)
    finally:
        await release.upgrade()
        await release.until_ready("gateway", 2)


@contextlib.asynccontextmanager
async def _staying(stage: Stage, before: dict[str, str], what: str) -> AsyncIterator[None]:
    yield
    after = await release_of(stage).uids()
    stage.hold(before == after, f"{what}, and {before} became {after}")
    stage.note(f"{what}: {len(after)} pods stayed")
