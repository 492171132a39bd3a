"""Model, checks and plans as Markdown. Pure: so they can be written again from the JSON, and documents be checked for drift."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from roomwire_loadtest.capacity.costs.check import LEAST_BUSY, Error
from roomwire_loadtest.capacity.costs.model import MOMENTS, WEIGHTS, WORK
from roomwire_loadtest.capacity.costs.results import Result
from roomwire_loadtest.capacity.planning.planner import Plan, Pods
from roomwire_loadtest.usage import AT_REST

_SERVICES: Final = {"gateway": "a gateway", "redis": "Redis (a log's primary)", "auth": "an auth service"}
_SHOWN: Final = (0.0, 0.6)
_HELD: Final = {
    "gateway": "a gateway's memory",
    "session": "Redis: sessions",
    "direct": "Redis: messages to one client, for three minutes",
    "presence": "Redis: presence",
    "log": "Redis: rooms' messages in the log, the newest 1,000 and for three minutes after the last",
    "history": "Redis: rooms' history, the newest 500 for a day",
    "frame": "WebSocket, to a client",
    "redis-in": "network, into Redis",
    "redis-out": "network, out of Redis",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def report(result: Result) -> str:
    """Return the report of a round of measurements."""
    measured = result.measured
    others = sorted(one.others_cpu for one in measured.observations)
    typical = others[len(others) // 2]
    disturbed = (
        f" **Others used {typical:.0%} of a core during half of the measurements and up to {others[-1]:.0%} during one**, which "
        "makes everything dearer: caches are cold, and a process that wakes up waits for its turn."
        * (typical > AT_REST)
    )
    head = (
        f"{measured.date}, the local system with {len(_gateways(result))} gateways, auth and Valkey with an append-only file; "
        f"CPU is user and system time of each process, by nanoseconds.{disturbed}"
    )
    model = (
        "A process pays for each unit of work, and more if it has to wake up for it. The busier it is, the more of what "
        "arrives finds it awake: the cost of a message falls as load rises."
    )
    lines = ["# What Roomwire costs", "", head, "", model]
    for service in WORK:
        lines += ["", *costs(result, service)]
    lines += ["", *held(result), "", "## Checked", "", *checks(result.verdict.errors), ""]
    lines += [f"**Broken**: {sentence}." for sentence in result.verdict.broken] or ["Every line is kept."]
    lines += ["", "![What a message costs](capacity.svg)", ""]
    lines += [f"- {what}: {value}" for what, value in {**measured.machine, **measured.versions}.items()]
    return "\n".join(lines) + "\n"


def _gateways(result: Result) -> set[str]:
    return {one.process for one in result.measured.observations if one.service == "gateway"}


def costs(result: Result, service: str) -> Iterator[str]:
    """Yield the costs of a service's work."""
    warm, cold = result.model.cpu_s[service], result.model.cold_s[service]

    def rows() -> Iterator[list[str]]:
        for unit in (*warm, *(unit for unit in cold if unit not in warm)):
            prices = [warm.get(unit, 0.0) + (1 - busy) * cold.get(unit, 0.0) for busy in _SHOWN]
            yield [
                WORK[service].get(unit, MOMENTS),
                *(f"{price * 1e6:,.1f}" for price in prices[: 1 + bool(cold)]),
            ]

    head = [f"CPU of {_SERVICES[service]}, us"]
    yield from table([*head, *(f"{busy:.0%} busy" for busy in _SHOWN)] if cold else [*head, ""], rows())


def held(result: Result) -> Iterator[str]:
    """Yield the memory of things held."""
    yield from table(
        ["bytes", "of", "each"],
        (
            [_HELD[what], title, f"{result.model.weights[what][unit]:,.0f}"]
            for what, units in WEIGHTS.items()
            for unit, title in units.items()
            if result.model.weights[what][unit] >= 1
        ),
    )
    base = result.model.base_bytes
    yield ""
    yield (
        "Before anybody comes: "
        + ", ".join(f"{_SERVICES[name]} {size / 2**20:,.0f} MiB" for name, size in base.items())
        + "."
    )


def checks(errors: Sequence[Error]) -> Iterator[str]:
    """Yield the errors of the model in runs that it was not fitted on."""
    yield (
        "Against runs that the model was not fitted on; of CPU those in which the process was busy for at least "
        f"{LEAST_BUSY:.0%} of the time."
    )
    yield ""

    def rows() -> Iterator[list[str]]:
        for service in dict.fromkeys(one.service for one in errors):
            off = [one.error for one in errors if one.service == service]
            yield [
                service,
                f"{len(off)}",
                f"{statistics.median(map(abs, off)):.0%}",
                f"{statistics.median(off):+.0%}",
                f"{min(off):+.0%} to {max(off):+.0%}",
            ]

    yield from table(["what", "checks", "half are off by at most", "typically", "all"], rows())


def planned(plan: Plan) -> str:
    """Return a plan."""
    parts = "; ".join(f"{_number(count)} {what} a second" for what, count in plan.per_second.items())
    spare = f" ({plan.spare_gateways:,} of them to spare)" if plan.spare_gateways else ""
    lines = [
        f"{parts[0].upper()}{parts[1:]}.",
        "",
        *table(
            ["", "pods", "busy", "CPU request", "memory request", "limit", "network"],
            [
                _row(f"gateways{spare}", plan.gateways),
                _row("auth (one to spare)", plan.auth),
                _row("Redis primaries, one for each log", plan.redis),
            ],
        ),
        "",
        f"{plan.connections_per_gateway:,.0f} connections on a gateway. "
        + (
            "One log: one deployment."
            if plan.logs == 1
            else f"{plan.logs:,} logs: today, as many deployments, each with {plan.gateways.count / plan.logs:,.0f} gateways and "
            "rooms of its own."
        ),
        "",
        "What breaks first, as one deployment:",
        "",
        *table(
            ["limit", "one deployment is full at", "then"],
            ([limit.what, _full_at(limit.share), limit.then] for limit in plan.limits if limit.share > 0),
        ),
    ]
    return "\n".join(lines)


def as_values(plan: Plan) -> str:
    """Return the command that gives a release of the chart the figures of a plan, or of one of its deployments if it has several."""
    values = {
        "gateway.replicas": str(math.ceil(plan.gateways.count / plan.logs)),
        "auth.replicas": str(math.ceil(plan.auth.count / plan.logs)),
        "redis.maxMemory": f"{plan.redis.memory_mib}mb",
    }
    for service, pods in (("gateway", plan.gateways), ("auth", plan.auth), ("redis", plan.redis)):
        values |= {
            f"{service}.resources.requests.cpu": f"{pods.cpu_m}m",
            f"{service}.resources.requests.memory": f"{pods.memory_mib}Mi",
            f"{service}.resources.limits.memory": f"{pods.memory_limit_mib}Mi",
        }
    lines = [f"--set {name}={value}" for name, value in values.items()]
    together = [" ".join(lines[start : start + 3]) for start in range(0, len(lines), 3)]
    command = "helm upgrade RELEASE deploy/helm/roomwire -n NAMESPACE --reset-then-reuse-values"
    return " \\\n  ".join([command, *together])


def _row(name: str, pods: Pods) -> list[str]:
    network = f"{_number(pods.network_mbit_s)} Mbit/s" if pods.network_mbit_s else ""
    return [
        name,
        f"{pods.count:,}",
        f"{pods.busy:.0%}",
        f"{pods.cpu_m}m",
        f"{pods.memory_mib:,} MiB",
        f"{pods.memory_limit_mib:,} MiB",
        network,
    ]


def _number(value: float) -> str:
    """Return a number with two significant digits, or as an integer."""
    if value >= 10:  # noqa: PLR2004 - two digits before the point
        digits = len(str(int(value))) - 2
        return f"{round(value / 10**digits) * 10**digits:,}" if digits > 0 else f"{value:.0f}"
    return f"{value:.2g}"


def _full_at(share: float) -> str:
    """Return the workload, relative to the present one, that fills a resource of which the present one takes this share."""
    return f"{_number(1 / share)} times this" if share <= 1 else f"**{_number(100 / share)}% of this**"
