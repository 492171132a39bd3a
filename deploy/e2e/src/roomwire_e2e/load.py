"""The chart's own load test: a master and workers in the cluster, and simulated users that connect through its ingress."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from roomwire_e2e import images
from roomwire_e2e.cluster import ClusterError
from roomwire_e2e.release import NAME, Release
from roomwire_loadtest.faults.oracle import COUNTS
from roomwire_loadtest.faults.stage import Skipped

_SECONDS: Final = 30
_USERS: Final = 40
_WORKERS: Final = 2
_WAIT_S: Final = 300.0
_LOOK_S: Final = 1.0
_FACTS: Final = re.compile(r", ([\d,]+) users, .*\s+([\d,]+) messages were acknowledged, ([\d,]+) delivered")
_COUNTS: Final = re.compile(r"^(\| lost \|.*)\n[|-]+\n(\|.*)$", re.MULTILINE)
_LABEL: Final = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=load"


@dataclass(frozen=True)
class Report:
    """The counts in the report of a load test's master.

    Attributes:
        users: Number of simulated users.
        acknowledged: Number of acknowledged messages.
        delivered: Number of delivered messages.
        counts: Counts that must be zero; see `faults.oracle`.

    """

    users: int
    acknowledged: int
    delivered: int
    counts: Mapping[str, int]


async def run_load(release: Release, version: str) -> Report:
    """Run the chart's load test for half a minute; returns the master's report.

    Args:
        release: The release, which is unchanged afterwards.
        version: The tag of the image.

    Raises:
        ClusterError: The load test does not end, or reports nothing.
        Skipped: The address of the ingress inside the cluster is not known.

    """
    url = await _inside(release)
    await images.build_loadtest(release.cluster, version)
    try:
        await release.upgrade(
            {
                "loadTest.enabled": "true",
                "loadTest.url": url,
                "loadTest.users": str(_USERS),
                "loadTest.seconds": str(_SECONDS),
                "loadTest.workers": str(_WORKERS),
                "loadTest.resources.requests.cpu": "50m",
            }
        )
        master, workers = await _job("-master", release), await _job("", release)
        said = await release.cluster.kubectl("logs", f"job/{master['metadata']['name']}")
        report = reported(said)
        if workers["status"].get("succeeded") != _WORKERS:
            raise ClusterError(f"{_WORKERS} workers expected, they ended as {workers['status']}")
        return report
    finally:
        await release.upgrade()


def wrong(report: Report) -> Sequence[str]:
    """Return what the report proves wrong with the system; durations are not judged."""
    found = [f"{name}: {count}" for name, count in report.counts.items() if count]
    if not report.delivered or not report.acknowledged:
        found.append("no message was sent, or none was delivered")
    return found


def reported(said: str) -> Report:
    """Return the report in the output of a master; see `load.record.report`.

    Raises:
        ClusterError: There is no report.

    """
    facts, counts = _FACTS.search(said), _COUNTS.search(said)
    if facts is None or counts is None:
        raise ClusterError(f"the master reports nothing: {said[-500:]}")
    users, acknowledged, delivered = (int(number.replace(",", "")) for number in facts.groups())
    names, numbers = (row.strip(" |").split(" | ") for row in counts.groups())
    # A value that was not counted is a dash.
    found = {name: int(number) for name, number in zip(names, numbers, strict=True) if number != "-"}
    if missing := [name for name in COUNTS if name not in found]:
        raise ClusterError(f"the master did not count {', '.join(missing)}: {said[-500:]}")
    return Report(users, acknowledged, delivered, {name: found[name] for name in COUNTS})


async def _job(kind: str, release: Release) -> Mapping[str, Any]:
    """Return a job of the load test that has ended."""
    deadline = time.monotonic() + _SECONDS + _WAIT_S
    while True:
        (job,) = (await release.cluster.get("jobs", "--selector", _LABEL + kind))["items"]
        conditions = {one["type"] for one in job["status"].get("conditions", []) if one["status"] == "True"}
        if conditions & {"Complete", "Failed"}:
            return dict(job)
        if time.monotonic() > deadline:
            raise ClusterError(f"{job['metadata']['name']} does not end: {job['status']}")
        await asyncio.sleep(_LOOK_S)


async def _inside(release: Release) -> str:
    """Return the address of the ingress inside the cluster: `E2E_INGRESS`, or that of the local cluster's Traefik."""
    cluster = release.cluster
    if url := cluster.env.get("E2E_INGRESS"):
        return url
    if cluster.tool is None:
        raise Skipped("set E2E_INGRESS to the address of the ingress as pods reach it")
    where = ("--namespace", "kube-system", "--selector", "app.kubernetes.io/name=traefik")
    pod = (await cluster.get("pods", *where))["items"][0]
    (web,) = [
        port
        for container in pod["spec"]["containers"]
        for port in container["ports"]
        if port["name"] == "web"
    ]
    return f"http://{pod['status']['podIP']}:{web['containerPort']}"
