"""Installs in other namespaces, beside the release: with a quota, limits and a tainted node, and without Helm."""

import copy
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from roomwire_e2e.cluster import TOP, Cluster, ClusterError
from roomwire_e2e.images import REPOSITORIES
from roomwire_e2e.release import CHART, NAME, Release

MANIFESTS: Final = TOP / "deploy" / "k8s" / "roomwire.yaml"
_TAINT: Final = "roomwire.io/e2e"
_KILLED_AFTER_S: Final = 10.0
_SECONDS: Final = 30.0
_LIMITS_M: Final = {
    "gateway": 500,
    "auth": 250,
    "redis": 250,
    "secrets": 250,
    "auth.signingKey.rotation": 250,
    "test": 250,
}
"""CPU limit of each part; the quota requires limits."""
_RATIO: Final = 50
"""Maximum ratio of a limit to its request; the release has to fit beside another."""
_QUOTA: Final[Mapping[str, Any]] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "quota"},
    "spec": {"hard": {"limits.cpu": "3", "limits.memory": "4Gi", "requests.cpu": "500m", "pods": "12"}},
}
_RANGE: Final[Mapping[str, Any]] = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "range"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "min": {"cpu": "5m", "memory": "16Mi"},
                "max": {"cpu": "600m", "memory": "1Gi"},
                "maxLimitRequestRatio": {"cpu": str(_RATIO)},
            }
        ]
    },
}
# OpenShift gives each namespace its own range of users, and the group 0.
_RANDOM_USER: Final = {
    "pods.podSecurityContext.runAsUser": "1000660000",
    "pods.podSecurityContext.runAsGroup": "0",
    "pods.podSecurityContext.fsGroup": "1000660000",
}


def beside(release: Release, name: str) -> Release:
    """Return a release of the same name in another namespace."""
    there = release.cluster
    cluster = Cluster(there.url, f"{there.namespace}-{name}", there.env, there.tool)
    return Release(cluster)


def small() -> dict[str, str]:
    """Return chart values of a release that fits beside another one and has no ingress."""
    parts = {
        f"{part}.resources.{kind}.cpu": f"{size}m"
        for part, limit in _LIMITS_M.items()
        for kind, size in (("limits", limit), ("requests", limit // _RATIO))
    }
    return {**parts, "ingress.enabled": "false"}


async def try_quota(release: Release) -> list[str]:
    """Install where pods are counted, limited and repelled; returns what was shown.

    First an install whose images do not exist is interrupted: nothing of it may hinder the next install.

    Raises:
        ClusterError: A check failed.

    """
    there, proof = beside(release, "quota"), list[str]()
    await there.remove()
    await there.make_namespace()
    is_tainted = release.cluster.tool is not None
    try:
        for manifest in (_QUOTA, _RANGE):
            await there.cluster.apply(manifest)
        if is_tainted:
            await there.cluster.kubectl("taint", "nodes", "--all", f"{_TAINT}=only:NoSchedule", "--overwrite")
        proof.append(await _fail(there))
        values = {**small(), "pods.tolerations[0].key": _TAINT, "pods.tolerations[0].operator": "Exists"}
        await there.install(values)
        await _test(there)
        proof.append("installed and tested with limits.cpu in a quota, a range of limits, and a tainted node")
        await there.cluster.kubectl("create", "job", "by-hand", f"--from=cronjob/{NAME}-roomwire-keys")
        await there.cluster.kubectl("wait", "job/by-hand", "--for=condition=Complete", "--timeout=120s")
        proof.append("the signing key was rotated there")
        await there.upgrade({**values, **_RANDOM_USER})
        await _test(there)
        proof.append("tested with a user that no image knows")
    finally:
        if is_tainted:
            await there.cluster.kubectl("taint", "nodes", "--all", f"{_TAINT}-")
        await there.remove()
    return proof


async def _test(there: Release) -> None:
    await there.cluster.helm("test", NAME, "--timeout", "5m", "--logs")


async def _fail(there: Release) -> str:
    """Interrupt an install whose images do not exist, remove it, and check that nothing of it remains."""
    nowhere = dict.fromkeys(REPOSITORIES, "registry.invalid/roomwire")
    began = time.monotonic()
    await there.install({**small(), **nowhere}, waits=False)
    took_s = time.monotonic() - began
    if took_s > _SECONDS:
        raise ClusterError(f"an install of images that are nowhere kept helm waiting for {took_s:.0f} s")
    await there.cluster.helm("uninstall", NAME, "--wait")
    try:
        await there.cluster.helm(
            *("install", NAME, str(CHART), "--wait", *there.set_values({**small(), **nowhere})),
            timeout_s=_KILLED_AFTER_S,
        )
    except ClusterError as error:
        if "took more than" not in str(error):
            raise
    await there.cluster.helm("uninstall", NAME, "--wait")
    if left := await _left(there):
        raise ClusterError(f"an install that was killed leaves {', '.join(left)}")
    return f"installs of images that are nowhere ended after {took_s:.1f} s, or were killed, and left nothing"


async def _left(there: Release) -> Sequence[str]:
    """Return the release's objects in its namespace, except Redis' volume, which stays with its data."""
    kinds = (
        "all,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,ingresses,"
        "poddisruptionbudgets,horizontalpodautoscalers"
    )
    found = (await there.cluster.get(kinds, "--selector", f"app.kubernetes.io/instance={NAME}"))["items"]
    return [f"{one['kind']} {one['metadata']['name']}" for one in found if _stays(one)]


def _stays(one: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" not in one["metadata"] and one["kind"] != "ControllerRevision"


async def try_manifests(release: Release) -> list[str]:
    """Apply the plain manifests twice, the second time with other images and requests; returns what was shown.

    Raises:
        ClusterError: The manifests do not apply, or do not run.

    """
    there = beside(release, "manifests")
    await there.remove()
    await there.make_namespace()
    try:
        first = [one for one in yaml.safe_load_all(MANIFESTS.read_text("utf-8")) if one["kind"] != "Ingress"]
        await _apply(there, changed(first, image="", cpu="20m"))
        secrets = await _secret_uids(there)
        await _apply(there, changed(first, image="docker.io/library/", cpu="30m"))
        if secrets != await _secret_uids(there):
            raise ClusterError("the second time the secrets were made again")
        image = (await there.cluster.get("deployment", "roomwire-gateway"))["spec"]["template"]["spec"][
            "containers"
        ][0]["image"]
    finally:
        await there.remove()
    return [f"deploy/k8s applied twice in {there.cluster.namespace}, the second time with {image}"]


def changed(manifests: Sequence[Mapping[str, Any]], *, image: str, cpu: str) -> list[dict[str, Any]]:
    """Return manifests whose Roomwire images have another prefix, and whose CPU requests differ.

    Pods, which run once, keep their requests, because an operator would not change those.
    """
    made = copy.deepcopy(list(manifests))
    for one in made:
        spec = one.get("spec", {})
        pod = spec if one["kind"] == "Pod" else spec.get("template", {}).get("spec", {})
        for container in pod.get("containers", []):
            if "roomwire-" in container["image"]:
                container["image"] = f"{image}{container['image']}"
            if one["kind"] != "Pod":
                container["resources"]["requests"]["cpu"] = cpu
    return [dict(one) for one in made]


async def _apply(there: Release, manifests: Sequence[Mapping[str, Any]]) -> None:
    await there.cluster.kubectl(
        "apply", "--filename", "-", text="\n---\n".join(json.dumps(one) for one in manifests)
    )
    for workload in ("statefulset/roomwire-redis", "deployment/roomwire-auth", "deployment/roomwire-gateway"):
        await there.cluster.kubectl("rollout", "status", workload, "--timeout=300s")


async def _secret_uids(there: Release) -> Mapping[str, str]:
    found = (await there.cluster.get("secrets"))["items"]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}
