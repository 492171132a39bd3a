"""What is done to a release while its clients talk. The rows are those of the fault suite, and so is their judge."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from e2e import images
from e2e.cluster import ClusterError
from e2e.keys import rotate_under
from e2e.release import Pod, Release
from faults.stage import Row, Stage

MESSAGES: Final = 10_000
"""How many a phase has to have acknowledged to show anything; and at least 40 clients in 10 rooms."""
_ROOMS: Final = 10
_CLIENTS: Final = 40
_RATE: Final = 12.0
_LOAD_S: Final = 600.0
_BACK_S: Final = 120.0
_HPA_S: Final = 180.0
_PREVIOUS: Final = "previous"
_SMALL: Final = {"gateway.resources.requests.cpu": "100m"}
"""Four gateways that ask for half a core each do not fit on the small node that a test may have."""


@contextlib.asynccontextmanager
async def _load(stage: Stage) -> AsyncIterator[list[str]]:
    """Have people talk while the context lasts, and until enough has been said; yields all their names."""
    token = await stage.system.token()
    publishers = await stage.gather(rooms=_ROOMS, auth={"token": token})
    names = list(stage.fleet.names)
    stage.prove(len(names) >= _CLIENTS, f"{len(names)} clients in {_ROOMS} rooms")
    async with stage.load(publishers, rate=_RATE):
        yield names
        await stage.fleet.settled(within_s=_BACK_S)
        await stage.fleet.until(lambda: stage.since(0, "acked") >= MESSAGES, within_s=_LOAD_S)


async def _replaced(stage: Stage, act: Callable[[Release, Pod], Awaitable[None]]) -> None:
    """Do something to the gateway that holds most clients; prove that it went, and that they came back."""
    release: Release = stage.system
    pods = await release.ready("gateway")
    victim = max(pods, key=lambda pod: len(stage.fleet.on_gateway(pod.name)))
    held, began = len(stage.fleet.on_gateway(victim.name)), stage.harm()
    await act(release, victim)
    await release.until_ready("gateway", len(pods), without=[victim.uid])
    await stage.fleet.settled(within_s=_BACK_S)
    _prove_reconnections(stage, began, f"{victim.name} gone", at_least=held)


def _prove_reconnections(stage: Stage, began: float, what: str, *, at_least: int = 1) -> None:
    reconnections = stage.since(began, "connect")
    stage.prove(reconnections >= max(1, at_least), f"{what}, {reconnections} reconnections")


async def kill(stage: Stage) -> None:
    """End gateways from one moment to the next, as their node would with it."""
    async with _load(stage):
        for _ in range(2):
            await _replaced(stage, Release.kill)


async def drain(stage: Stage) -> None:
    """Ask gateways to go, as draining a node does."""
    async with _load(stage):
        for _ in range(2):
            await _replaced(stage, Release.evict)


async def upgrade(stage: Stage) -> None:
    """Replace every gateway by `helm upgrade`."""
    release: Release = stage.system
    async with _load(stage):
        before, began = await release.ready("gateway"), stage.harm()
        await release.upgrade({"gateway.podAnnotations.again": "yes"})
        await release.until_ready("gateway", len(before), without=[pod.uid for pod in before])
        await stage.fleet.settled(within_s=_BACK_S)
        _prove_reconnections(stage, began, f"{len(before)} pods replaced", at_least=len(stage.fleet.names))


async def previous(stage: Stage) -> None:
    """Upgrade the commit before this one to this one."""
    release: Release = stage.system
    async with images.checkout_of("HEAD^") as tree:
        await images.build(release.cluster, _PREVIOUS, checkout=tree)
        tags = {f"{service}.image.tag": _PREVIOUS for service in images.SERVICES}
        await release.upgrade(tags, chart=tree / "deploy" / "helm" / "roomwire")
    old = await release.ready("gateway")
    async with _load(stage):
        began = stage.harm()
        await release.upgrade()
        await release.until_ready("gateway", len(old), without=[pod.uid for pod in old])
        await stage.fleet.settled(within_s=_BACK_S)
        _prove_reconnections(stage, began, "the version before replaced", at_least=len(stage.fleet.names))


async def scale(stage: Stage) -> None:
    """Have four gateways instead of two, and two again, by hand."""
    release: Release = stage.system
    await release.upgrade(_SMALL)
    async with _load(stage):
        first = await release.until_ready("gateway", 2)
        began = stage.harm()
        await release.scale(4)
        more = await release.until_ready("gateway", 4)
        stage.prove(len(more) > len(first), "2 became 4")
        # Those that come again find the new ones as well.
        await stage.fleet.tell("drop", stage.fleet.names[::2])
        await stage.fleet.settled(within_s=_BACK_S)
        await release.scale(2)
        left = await release.until_ready("gateway", 2)
        gone = {pod.uid for pod in more} - {pod.uid for pod in left}
        stage.prove(len(gone) == len(more) - len(left), f"{len(gone)} of 4 gone")
        await stage.fleet.settled(within_s=_BACK_S)
        _prove_reconnections(stage, began, "4 became 2")


async def autoscale(stage: Stage) -> None:
    """Let the autoscaler follow the number of connections, up and down again."""
    release: Release = stage.system
    await release.upgrade(
        {
            **_SMALL,
            "gateway.autoscaling.enabled": "true",
            "gateway.autoscaling.maxReplicas": "4",
            "gateway.autoscaling.connections": str(_CLIENTS // 2),
            "gateway.autoscaling.cpuPercent": "0",
            "gateway.autoscaling.scaleDownWindowSeconds": "0",
            "gateway.autoscaling.scaleDownPeriodSeconds": "5",
        }
    )
    try:
        async with _load(stage):
            token = await release.token()
            crowd = {f"crowd-{number}": ["lobby"] for number in range(2 * _CLIENTS)}
            began = stage.harm()
            await stage.fleet.open(release.url, crowd, auth={"token": token})
            more = await release.until_ready("gateway", 4, within_s=_HPA_S)
            stage.prove(len(more) == 4, f"{len(stage.fleet.names)} connections made 2 gateways 4")  # noqa: PLR2004
            await stage.fleet.tell("close", list(crowd))
            some = [name for name in stage.fleet.names if name.endswith(("-4", "-5"))]
            await stage.fleet.tell("close", some)
            left = await release.until_ready("gateway", 2, within_s=_HPA_S)
            stage.prove(len(left) == 2, f"{len(stage.fleet.names)} connections made them 2 again")  # noqa: PLR2004
            await stage.fleet.settled(within_s=_BACK_S)
            _prove_reconnections(stage, began, "4 became 2")
    finally:
        await release.upgrade()
        await release.until_ready("gateway", 2)


async def keys(stage: Stage) -> None:
    """Rotate the signing key by the release's CronJob."""
    async with _load(stage) as names:
        await rotate_under(stage, names)


async def database(stage: Stage) -> None:
    """Kill Redis' pod; its volume stays, and with it every account."""
    release: Release = stage.system
    account = {"username": "keeper", "password": "a long enough passphrase"}
    with contextlib.suppress(ClusterError):
        await release.post("/auth/register", account)
    async with _load(stage):
        (pod,) = await release.ready("redis")
        began = stage.harm()
        await release.end(pod)
        (other,) = await release.until_ready("redis", 1, without=[pod.uid])
        stage.prove(other.uid != pod.uid, f"{pod.name} gone, another one ready")
        await stage.fleet.settled(within_s=_BACK_S)
        stage.note(f"{stage.since(began, 'connect')} reconnections")
    await release.post("/auth/login", account)
    stage.note("the account outlived the pod")


PHASES: Final = (
    Row("kill", "gateways killed, twice", kill, at_least=MESSAGES),
    Row("drain", "gateways evicted, twice", drain, at_least=MESSAGES),
    Row("upgrade", "helm upgrade", upgrade, at_least=MESSAGES),
    Row("previous", "helm upgrade from the commit before", previous, at_least=MESSAGES),
    Row("scale", "2 to 4 to 2 by hand", scale, at_least=MESSAGES),
    Row("autoscale", "2 to 4 to 2 by connections", autoscale, at_least=MESSAGES),
    Row("keys", "the signing key rotated", keys, at_least=MESSAGES),
    Row("redis", "Redis killed, with its volume", database, at_least=MESSAGES),
)
