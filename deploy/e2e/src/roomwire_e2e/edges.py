"""Tests the network policies with real packets: required connections are open, all others closed, and every rule is needed.

Each rule of the release's NetworkPolicies, or one of its peers, is removed in turn; then a required connection has to close.
"""

import copy
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from roomwire_e2e.release import NAME, Pod, Release
from roomwire_e2e.strangers import SCRAPER, STRANGER, Strangers, run_strangers

_TRY: Final = """
import json, socket, sys
def where(host):
    if host == "dns":
        return next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
    return host
open_ = []
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((where(host), port), 3).close()
        open_.append(True)
    except OSError:
        open_.append(False)
print(json.dumps(open_))
"""
# Redis' image may lack Python. A server that is not Redis answers nonsense, or nothing until the timeout.
_TRY_FROM_REDIS: Final = """
for target in "$@"; do
    said=$(timeout 3 redis-cli -h "${target%:*}" -p "${target##*:}" ping 2>&1)
    state=$?
    case "$state $said" in 124*|143*|*"Could not connect"*) echo closed;; *) echo open;; esac
done
"""
_PORTS: Final = {
    "gateway": {"http": 8000, "ops": 9000, "relay": 7000},
    "auth": {"http": 8001, "ops": 9001},
    "redis": {"redis": 6379},
}
_PEER: Final = "peer"
_PEER_PORTS: Final = {_PEER: {"http": 8000, "ops": 9000, "relay": 7000}}
"""Another gateway, as a gateway sees it: gateways relay requests that reached the wrong one."""
# The cluster's API is not tested: it listens on nodes, and many networks allow traffic to a pod's own node whatever a
# policy says.
_OUTSIDE: Final = {"dns": {"dns": 53}}
_NEEDED: Final = {
    ("gateway", "redis", "redis"),
    ("gateway", "auth", "http"),
    ("gateway", "dns", "dns"),
    ("gateway", _PEER, "relay"),
    ("auth", "redis", "redis"),
    ("auth", "dns", "dns"),
    (STRANGER, "gateway", "http"),
    (STRANGER, "auth", "http"),
    (SCRAPER, "gateway", "http"),
    (SCRAPER, "auth", "http"),
    (SCRAPER, "gateway", "ops"),
    (SCRAPER, "auth", "ops"),
}
_CHANGE_S: Final = 60.0


@dataclass(frozen=True)
class Edge:
    """A connection that was attempted.

    Attributes:
        source: The component that connects, or `stranger`, or `scraper`.
        target: The component.
        port: The name of its port.
        is_open: Whether the connection was made.
        is_needed: Whether it is required.

    """

    source: str
    target: str
    port: str
    is_open: bool
    is_needed: bool

    @property
    def is_right(self) -> bool:
        """Whether it is open exactly if it is required."""
        return self.is_open is self.is_needed

    def __str__(self) -> str:
        state = "open" if self.is_open else "closed"
        needed = "needed" if self.is_needed else "not needed"
        return f"{self.source} to {self.target}:{self.port} is {state}, {needed}"


def wanted(source: str, target: str, port: str) -> bool:
    """Return whether a connection is required."""
    return (source, target, port) in _NEEDED


def without_one(policy: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a policy without one of its rules, or without one peer of a rule that has several, and the name of the removed part."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(policy["spec"].get(direction, [])):
            for peer in range(len(rule[peers])) if len(rule.get(peers, [])) > 1 else (None,):
                less = copy.deepcopy(policy)
                rules = less["spec"][direction]
                gone = rules.pop(number) if peer is None else rules[number][peers].pop(peer)
                yield f"{policy['metadata']['name']}, {direction}: {json.dumps(gone)}", less


async def edges(release: Release) -> list[Edge]:
    """Attempt every connection between the components, from unrelated pods, and to the outside."""
    async with run_strangers(release) as strangers:
        return await _tried(release, await _pods(release), strangers)


async def idle_rules(release: Release) -> tuple[list[str], int]:
    """Remove each rule for a while; returns the rules that no required connection missed, and how many were tried."""
    async with run_strangers(release) as strangers:
        pods, idle, tried = await _pods(release), [], 0
        ours = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component in ({','.join(_PORTS)})"
        found = await release.cluster.get("networkpolicies", "--selector", ours)
        for policy in found["items"]:
            policy["metadata"].pop("resourceVersion", None)
            for what, less in without_one(policy):
                tried += 1
                await release.cluster.replace(less)
                if not await _becomes(release, pods, strangers, all_open=False):
                    idle.append(what)
                await release.cluster.replace(policy)
                if not await _becomes(release, pods, strangers, all_open=True):
                    idle.append(f"restored, but still closed: {what}")
        return idle, tried


async def metrics_are_hidden(release: Release) -> str:
    """Request metrics through the ingress, and return the problem, or an empty text if there is none."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        for path in ("/metrics", "/auth/metrics", "/readyz", "/auth/readyz"):
            answer = await http.get(release.url + path)
            if "roomwire_" in answer.text or answer.is_success:
                return f"{path} answers {answer.status_code} through the ingress"
    return ""


async def _pods(release: Release) -> dict[str, Pod]:
    found = {component: (await release.ready(component))[0] for component in _PORTS}
    return found | {_PEER: (await release.ready("gateway"))[1]}


async def _becomes(release: Release, pods: dict[str, Pod], strangers: Strangers, *, all_open: bool) -> bool:
    """Wait until all required connections are open, or one is not; policies take effect after a moment."""
    deadline = time.monotonic() + _CHANGE_S
    while True:
        found = await _tried(release, pods, strangers, only_needed=True)
        if all_open is all(edge.is_open for edge in found):
            return True
        if time.monotonic() > deadline:
            return False


async def _tried(
    release: Release, pods: dict[str, Pod], strangers: Strangers, *, only_needed: bool = False
) -> list[Edge]:
    found = []
    for source in ("gateway", "auth", "redis", STRANGER, SCRAPER):
        targets = [
            (target, port, pods[target].ip if target in pods else target, number)
            for target, ports in _targets(source).items()
            for port, number in ports.items()
            if wanted(source, target, port) or not only_needed
        ]
        if not targets:
            continue
        answers = await _try(release, source, pods, strangers, [(ip, number) for *_, ip, number in targets])
        found += [
            Edge(source, target, port, is_open, wanted(source, target, port))
            for (target, port, *_), is_open in zip(targets, answers, strict=True)
        ]
    return found


def _targets(source: str) -> dict[str, dict[str, int]]:
    others = {target: ports for target, ports in _PORTS.items() if target != source}
    match source:
        case "gateway":
            return others | _PEER_PORTS | _OUTSIDE
        case "auth":
            return others | _OUTSIDE
    return others


async def _try(
    release: Release,
    source: str,
    pods: dict[str, Pod],
    strangers: Strangers,
    targets: Sequence[tuple[str, int]],
) -> list[bool]:
    if source == "redis":
        named = [f"{host}:{port}" for host, port in targets]
        said = await release.cluster.kubectl(
            "exec", pods[source].name, "--", "sh", "-c", _TRY_FROM_REDIS, "sh", *named
        )
        return [line == "open" for line in said.split()]
    where = ("exec", pods[source].name) if source in pods else ("exec", *strangers[source])
    said = await release.cluster.kubectl(*where, "--", "python", "-c", _TRY, json.dumps(targets))
    answers: list[bool] = json.loads(said)
    return answers
