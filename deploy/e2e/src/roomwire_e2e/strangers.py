"""Pods that belong to no component: one beside the release, one in the namespace that may scrape its metrics."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from roomwire_e2e.cluster import ClusterError
from roomwire_e2e.release import Release

STRANGER: Final = "stranger"
SCRAPER: Final = "scraper"
_MONITORING: Final = "monitoring"
_LIFE_S: Final = 1800

Strangers = Mapping[str, tuple[str, ...]]
"""The kubectl arguments for each kind of pod: its name, and its namespace if that is another one."""


@contextlib.asynccontextmanager
async def run_strangers(release: Release) -> AsyncIterator[Strangers]:
    """Run the pods, from the gateway's image, while the context lasts.

    The namespace `monitoring`, whose pods may scrape by the chart's default values, is created if it does not exist,
    and only then deleted afterwards.
    """
    cluster = release.cluster
    is_made = not await _exists(release, _MONITORING)
    if is_made:
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _MONITORING}})
    gateway = (await release.ready("gateway"))[0]
    spec = (await cluster.get("pod", gateway.name))["spec"]
    names = {STRANGER: f"{cluster.namespace}-stranger", SCRAPER: f"{cluster.namespace}-scraper"}
    where: dict[str, tuple[str, ...]] = {
        STRANGER: (names[STRANGER],),
        SCRAPER: (names[SCRAPER], "--namespace", _MONITORING),
    }
    try:
        for kind, name in names.items():
            manifest = idle_pod(name, spec)
            if kind == SCRAPER:
                manifest["metadata"]["namespace"] = _MONITORING
            await cluster.kubectl("create", *where[kind][1:], "--filename", "-", text=json.dumps(manifest))
        for name, *namespace in where.values():
            await cluster.kubectl(
                "wait", f"pod/{name}", *namespace, "--for=condition=Ready", "--timeout=300s"
            )
        yield where
    finally:
        for name, *namespace in where.values():
            await cluster.kubectl(
                "delete", "pod", name, *namespace, "--ignore-not-found", "--grace-period=0", "--force"
            )
        if is_made:
            await cluster.kubectl("delete", "namespace", _MONITORING, "--ignore-not-found", "--wait")


async def _exists(release: Release, namespace: str) -> bool:
    try:
        await release.cluster.kubectl("get", "namespace", namespace)
    except ClusterError as error:
        if "NotFound" in str(error):
            return False
        raise
    return True


def idle_pod(name: str, gateway: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod that does nothing, with the image and the security context of a gateway's pod."""
    container = gateway["containers"][0]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": gateway["securityContext"],
            "containers": [
                {
                    "name": "stranger",
                    "image": container["image"],
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", f"import time; time.sleep({_LIFE_S})"],
                    "securityContext": container["securityContext"],
                }
            ],
        },
    }
