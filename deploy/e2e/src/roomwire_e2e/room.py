"""Leaves only a given amount of CPU on a cluster's node: a pod that does nothing requests the rest."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from roomwire_e2e.release import Release
from roomwire_e2e.strangers import idle_pod
from roomwire_loadtest.faults.stage import Skipped

_NAME: Final = "filler"
_CORE_M: Final = 1000


def millicores(quantity: str) -> int:
    """Return a quantity of CPU in millicores."""
    return int(quantity[:-1]) if quantity.endswith("m") else int(float(quantity) * _CORE_M)


def asked(pods: list[Mapping[str, Any]]) -> int:
    """Return the CPU that pods have reserved, in millicores; pods that have ended reserve none."""
    return sum(
        millicores(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
        for pod in pods
        if pod["status"].get("phase") not in {"Succeeded", "Failed"}
        for container in pod["spec"]["containers"]
    )


@contextlib.asynccontextmanager
async def room_for(release: Release, left_m: int) -> AsyncIterator[None]:
    """Leave this many millicores while the context lasts.

    Raises:
        Skipped: The cluster has several nodes, so a pod would fit on another one.

    """
    cluster = release.cluster
    nodes = (await cluster.get("nodes"))["items"]
    if len(nodes) > 1:
        raise Skipped("needs a cluster of one node, to have it full")
    (node,) = nodes
    pods = (await cluster.get("pods", "--all-namespaces"))["items"]
    there = asked([pod for pod in pods if pod["spec"].get("nodeName")])
    free_m = millicores(node["status"]["allocatable"]["cpu"]) - there
    gateway = (await release.ready("gateway"))[0]
    filler = idle_pod(_NAME, (await cluster.get("pod", gateway.name))["spec"])
    filler["spec"]["containers"][0]["resources"] = {"requests": {"cpu": f"{free_m - left_m}m"}}
    filler["spec"]["terminationGracePeriodSeconds"] = 0
    await cluster.kubectl("create", "--filename", "-", text=json.dumps(filler))
    try:
        await cluster.kubectl("wait", f"pod/{_NAME}", "--for=condition=Ready", "--timeout=60s")
        yield
    finally:
        await cluster.kubectl("delete", "pod", _NAME, "--ignore-not-found", "--wait")
