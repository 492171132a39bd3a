"""Plans pods and primaries for a workload by a model, and tells which limit is reached first. Pure.

More work never gives fewer gateways: a gateway's work grows with the workload and falls with the number of gateways, and
the plan has the smallest number that suffices. A message to a room is assumed to reach as many gateways as a deployment may
have, even if the plan has fewer: with several deployments, the plan's number of pushes is an upper bound.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from roomwire_loadtest.capacity.costs.model import Model
from roomwire_loadtest.capacity.planning.flows import Flows
from roomwire_loadtest.capacity.planning.sizes import spread
from roomwire_loadtest.capacity.planning.workload import Workload

_MIB: Final = 2**20
_GIB: Final = 2**30
ROOM_TO_MOVE: Final = 1.25
"""Requested memory relative to the expected: buffers of slow clients, and the allocator's overhead."""
_LIMIT: Final = 2
_REDIS_LIMIT: Final = 1.5
"""The append-only file is rewritten by a copy of the process."""
_CPU_STEP: Final = 50
_MEMORY_STEP: Final = 32
_SEGMENT_BYTES: Final = 52
"""TCP and IP headers of each write."""
_MOST: Final = 10_000_000
_HALVINGS: Final = 100


class Impossible(ValueError):
    """No number of pods suffices for the workload; the text says why."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that more pods do not raise.

    Attributes:
        what: Its description.
        share: The share of it that the workload takes, as one deployment; at 1 it is reached.
        then: The advice when it is reached.

    """

    what: str
    share: float
    then: str


class Pods(msgspec.Struct, frozen=True, kw_only=True):
    """Pods of one service.

    Attributes:
        count: The number of pods.
        busy: The share of a core that each is busy.
        cpu_m: CPU request, in millicores.
        memory_mib: Memory request.
        memory_limit_mib: Memory limit.
        network_mbit_s: Network traffic, in and out together.

    """

    count: int
    busy: float
    cpu_m: int
    memory_mib: int
    memory_limit_mib: int
    network_mbit_s: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a workload needs.

    Attributes:
        title: The workload's title.
        per_second: The rates, in words.
        gateways: The gateways, including the spare ones.
        spare_gateways: The spare gateways of all deployments.
        connections_per_gateway: Connections per gateway when the spare ones are gone.
        auth: The auth services.
        redis: A primary for each log; its memory is that of the data (`maxmemory`), and the pod's limit.
        limits: The limits, the tightest first.

    """

    title: str
    per_second: dict[str, float]
    gateways: Pods
    spare_gateways: int
    connections_per_gateway: float
    auth: Pods
    redis: Pods
    limits: list[Limit]

    @property
    def logs(self) -> int:
        """The number of logs, which today is also the number of deployments."""
        return self.redis.count


def plan(workload: Workload, model: Model) -> Plan:
    """Return the plan for a workload.

    Raises:
        Impossible: No number of pods suffices.

    """
    flows, target = Flows(workload), workload.deployment
    needed = _gateways(workload, flows, model)
    logs = _logs(workload, flows, model, needed)
    spare = target.spare_gateways * logs
    of_a_log = min(float(target.gateways_per_log), needed)
    work = flows.gateway_work(needed, of_a_log=of_a_log)
    busy = model.busy("gateway", work)
    held = _gateway_bytes(workload, flows, model, needed) / _MIB
    auth = _auth(workload, flows, model)
    redis_work = flows.redis_work(logs, gateways=_gateways_of_a_log(workload, needed, logs))
    stored = _redis_bytes(flows, model) / logs / _MIB
    network = 8e-6 * sum(
        model.bytes_of(what, {"seconds": 1.0} | redis_work) for what in ("redis-in", "redis-out")
    )
    redis_busy = model.busy("redis", redis_work)
    return Plan(
        title=workload.title,
        per_second={
            "new connections": flows.comes_per_s,
            "messages sent": flows.messages_per_s,
            "pushes to gateways": flows.heard_per_s(of_a_log),
            "deliveries to clients": flows.deliveries_per_s,
        },
        gateways=_pods(
            needed + spare,
            busy=busy,
            memory_mib=held * ROOM_TO_MOVE,
            network_mbit_s=_gateway_bit_s(work, model) / 1e6,
        ),
        spare_gateways=spare,
        connections_per_gateway=workload.connections / needed,
        auth=auth,
        redis=_pods(
            logs,
            busy=redis_busy,
            memory_mib=stored * ROOM_TO_MOVE,
            network_mbit_s=network,
            limit=_REDIS_LIMIT,
        ),
        limits=sorted(_limits(workload, flows, model, needed, logs), key=lambda limit: -limit.share),
    )


def _pods(
    count: int, *, busy: float, memory_mib: float, network_mbit_s: float, limit: float = _LIMIT
) -> Pods:
    asked = _MEMORY_STEP * math.ceil(memory_mib / _MEMORY_STEP)
    return Pods(
        count=count,
        busy=busy,
        cpu_m=_CPU_STEP * math.ceil(1_000 * busy / _CPU_STEP),
        memory_mib=asked,
        memory_limit_mib=math.ceil(asked * limit),
        network_mbit_s=network_mbit_s,
    )


def _fewest(is_enough: Callable[[int], bool], otherwise: str) -> int:
    """Return the smallest number from 1 on that suffices; every larger number must suffice as well."""
    above = 1
    while not is_enough(above):
        above *= 2
        if above > _MOST:
            raise Impossible(otherwise)
    below = above // 2
    while above - below > 1:
        middle = (below + above) // 2
        if is_enough(middle):
            above = middle
        else:
            below = middle
    return above


def _gateways(workload: Workload, flows: Flows, model: Model) -> int:
    target = workload.deployment

    def is_enough(count: int) -> bool:
        work = flows.gateway_work(count, of_a_log=min(target.gateways_per_log, count))
        memory = _gateway_bytes(workload, flows, model, count) * ROOM_TO_MOVE
        return (
            model.busy("gateway", work) <= target.gateway_busy
            and memory <= target.gateway_memory_mib * _MIB
            and workload.connections <= count * target.max_connections
            and _return_s(workload, model, count + target.spare_gateways, model.busy("gateway", work))
            <= target.max_return_s
        )

    return _fewest(
        is_enough, "the load that every gateway bears, whatever their number, is too much for one gateway"
    )


def _return_s(workload: Workload, model: Model, gateways: int, busy: float, *, logs: int = 1) -> float:
    """Return how long the other gateways need to take over the clients of one that died."""
    returning = workload.connections / gateways * model.cpu_s["gateway"]["upgrades"]
    others = max(1.0, gateways / logs - 1)
    return returning / others / (1 - busy) if busy < 1 else math.inf


def _gateway_bytes(workload: Workload, flows: Flows, model: Model, count: float) -> float:
    held = {"connections": workload.connections / count, "memberships": flows.memberships / count}
    return model.base_bytes["gateway"] + model.bytes_of("gateway", held)


def _gateway_bit_s(work: Mapping[str, float], model: Model) -> float:
    frames = {"deliveries": work["deliveries"], "text_kib": work["delivered_kib"]}
    heard = {"pushes": work["heard"], "pushed_kib": work["taken_kib"]}
    out = model.bytes_of("frame", frames) + _SEGMENT_BYTES * (work["deliveries"] + 2 * work["pings"])
    return 8 * (out + model.bytes_of("redis-out", heard))


def _gateways_of_a_log(workload: Workload, needed: int, logs: int) -> int:
    return math.ceil(needed / logs) + workload.deployment.spare_gateways


def _redis_bytes(flows: Flows, model: Model) -> float:
    return model.base_bytes["redis"] + sum(
        model.bytes_of(what, held) for what, held in flows.redis_held().items()
    )


def _logs(workload: Workload, flows: Flows, model: Model, needed: int) -> int:
    target = workload.deployment
    stored = _redis_bytes(flows, model) * ROOM_TO_MOVE

    def is_enough(logs: int) -> bool:
        gateways = _gateways_of_a_log(workload, needed, logs)
        return (
            gateways <= max(target.gateways_per_log, 1 + target.spare_gateways)
            and stored <= logs * target.redis_memory_gib * _GIB
            and model.busy("redis", flows.redis_work(logs, gateways=gateways)) <= target.redis_busy
        )

    return _fewest(is_enough, "the load that every log bears, whatever their number, is too much for one log")


def _auth(workload: Workload, flows: Flows, model: Model) -> Pods:
    work = flows.auth_work()

    def busy(count: int) -> float:
        return model.busy("auth", {name: units / count for name, units in work.items()})

    needed = _fewest(
        lambda count: busy(count) <= workload.deployment.auth_busy, "an idle auth service is too busy"
    )
    memory = model.base_bytes["auth"] / _MIB
    # One more than needed, so that one may be gone.
    return _pods(needed + 1, busy=busy(needed), memory_mib=memory * ROOM_TO_MOVE, network_mbit_s=0.0)


def _share(model: Model, work: Mapping[str, float], busy: float) -> float:
    """Return the share of a log's busy time that some work causes."""
    little, much = 1e-12, 1e12
    for _ in range(_HALVINGS):
        middle = math.sqrt(little * much)
        if model.busy("redis", {name: middle * units for name, units in work.items()}) > busy:
            much = middle
        else:
            little = middle
    return 1 / little


def _limits(workload: Workload, flows: Flows, model: Model, needed: int, logs: int) -> Iterator[Limit]:
    target = workload.deployment
    gateways, gbit = needed + target.spare_gateways, target.network_gbit_s * 1e9
    of_a_log = min(needed, target.gateways_per_log)
    alone = flows.redis_work(1, gateways=of_a_log)
    bits = 8 * max(model.bytes_of(what, {"seconds": 1.0} | alone) for what in ("redis-in", "redis-out"))
    yield Limit(
        what=f"CPU of one log, at {target.redis_busy:.0%} of a core",
        share=_share(model, alone, target.redis_busy),
        then="more logs",
    )
    yield Limit(
        what=f"memory of one log, {target.redis_memory_gib:g} GiB",
        share=_redis_bytes(flows, model) * ROOM_TO_MOVE / target.redis_memory_gib / _GIB,
        then="a larger primary, or more logs",
    )
    yield Limit(
        what=f"network of one log, {target.network_gbit_s:g} Gbit/s", share=bits / gbit, then="more logs"
    )
    yield Limit(
        what=f"gateways of one log, {target.gateways_per_log}",
        share=gateways / target.gateways_per_log,
        then="more logs: each gateway reads the list of all",
    )
    work = flows.gateway_work(needed, of_a_log=of_a_log)
    yield Limit(
        what="network of a gateway", share=_gateway_bit_s(work, model) / gbit, then="more, smaller pods"
    )
    each = _gateways_of_a_log(workload, needed, logs)
    for kind in flows.kinds[len(flows.kinds) - len(workload.giants) :]:
        cost = model.cpu_s["gateway"]["deliveries"] * kind.size / spread(kind.size, each)
        yield Limit(
            what=f"a message to a room of {kind.size:,.0f}, sent within {target.max_delay_s:g} s by each gateway",
            share=cost / target.max_delay_s,
            then="more gateways than CPU asks for, or fewer clients on each",
        )
        if logs > 1:
            yield Limit(
                what=f"a room of {kind.size:,.0f} among the clients of its one deployment",
                # Every member of a room has a connection, whatever the workload says.
                share=kind.size * logs / max(workload.connections, kind.size),
                then="fewer, larger deployments: a room is in one",
            )
        said, heard = kind.messages_per_s, kind.entries_per_s * spread(kind.size, each)
        one = {"calls": 2 * said, "publishes": 2 * said, "keeps": said, "pushes": heard}
        yield Limit(
            what=f"a room of {kind.size:,.0f} in its one log",
            share=_share(model, one, target.redis_busy),
            then="nothing: a room is in one log",
        )
    yield Limit(
        what=f"a gateway's clients back within {target.max_return_s:g} s of its death",
        share=_return_s(
            workload, model, needed + target.spare_gateways * logs, model.busy("gateway", work), logs=logs
        )
        / target.max_return_s,
        then="more gateways, with fewer clients each",
    )
