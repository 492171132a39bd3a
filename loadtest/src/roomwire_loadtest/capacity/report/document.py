"""The parts of documents that show results and workloads: they are between marks, generated, and may not drift."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from roomwire_loadtest.capacity.costs.model import Model
from roomwire_loadtest.capacity.costs.results import Result
from roomwire_loadtest.capacity.planning.planner import ROOM_TO_MOVE, plan
from roomwire_loadtest.capacity.planning.workload import read
from roomwire_loadtest.capacity.report.tables import as_values, checks, costs, planned
from roomwire_loadtest.checkout import ROOT, WORKLOADS

PATHS: Final = tuple(ROOT / "docs" / name for name in ("capacity.md", "kubernetes.md"))
SHIPPED: Final = ("small", "large", "huge")
_VALUES: Final = ROOT / "deploy" / "helm" / "roomwire" / "values.yaml"
_MARKED: Final = re.compile(r"(<!-- made: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MIB: Final = 2**20
_ROOMS: Final = 3
_ROOM_SIZE: Final = 10
_PING_INTERVAL_S: Final = 25.0


class UnknownMark(ValueError):
    """A mark in a document does not name a generated part."""


def filled(text: str, result: Result) -> str:
    """Return a document with all marked parts generated again; raises UnknownMark."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_made(found[2], result)}\n\n{found[3]}", text)


def _made(what: str, result: Result) -> str:
    kind, _, name = what.partition(" ")
    if kind == "costs":
        return "\n".join(costs(result, name))
    if kind == "checks":
        return "\n".join(checks(result.verdict.errors))
    if kind == "size":
        return "\n".join(_size(result.model))
    if kind == "plan" and name in SHIPPED:
        return planned(plan(read(WORKLOADS / f"{name}.toml"), result.model))
    if kind == "values" and name in SHIPPED:
        return f"```sh\n{as_values(plan(read(WORKLOADS / f'{name}.toml'), result.model))}\n```"
    raise UnknownMark(f"nothing is made for the mark {what!r}")


def _size(model: Model) -> Iterator[str]:
    """Yield the capacity of the chart's requests."""
    values: Any = yaml.safe_load(_VALUES.read_text("utf-8"))
    requests = values["gateway"]["resources"]["requests"]
    memory, cpu = (
        int(requests["memory"].removesuffix("Mi")) * _MIB,
        int(requests["cpu"].removesuffix("m")) / 1_000,
    )
    weights, base = model.weights["gateway"], model.base_bytes["gateway"]
    connection = weights["connections"] + _ROOMS * weights["memberships"]
    connections = int((memory / ROOM_TO_MOVE - base) / connection / 1_000) * 1_000
    pings = model.work("gateway", {"pings": connections / _PING_INTERVAL_S})
    message = {"messages": 1.0, "heard": 1.0, "deliveries": float(_ROOM_SIZE)}
    rate = 0
    while model.busy("gateway", {unit: count * (rate + 10) for unit, count in message.items()}) < cpu:
        rate += 10
    yield (
        f"A gateway holds {base / _MIB:.0f} MiB without clients, {weights['connections'] / 1024:.1f} KiB for a connection of the "
        f"chat and {weights['memberships'] / 1024:.1f} KiB for each room that its client is in. The chart requests "
        f"`{requests['memory']}`, which is enough for {connections:,} connections in {_ROOMS} rooms each, with 25% spare; their pings use "
        f"{pings:.1%} of a core. Set the memory limit to at most twice the request; the difference holds data for slow clients. "
        f"About {rate} messages/s to rooms of {_ROOM_SIZE} use `{requests['cpu']}` CPU, deliveries included."
    )
