"""The release under test, as its operator sees it: pods, rollouts, upgrades."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx

from roomwire_e2e import images
from roomwire_e2e.applications import VALUES
from roomwire_e2e.cluster import TOP, Cluster, ClusterError
from roomwire_loadtest.faults.fleet import Application
from roomwire_loadtest.faults.stage import Stage

CHART: Final = TOP / "deploy" / "helm" / "roomwire"
NAME: Final = "chat"
SMALL: Final = {"gateway.resources.requests.cpu": "100m"}
"""Four gateways that request half a core each do not fit on a test's small node."""
_WAIT_S: Final = 300.0
_LOOK_S: Final = 0.5


@dataclass(frozen=True)
class Pod:
    """A pod, as kubectl showed it."""

    name: str
    uid: str
    ip: str
    is_ready: bool
    is_going: bool


class Release:
    """An installation of Roomwire.

    Args:
        cluster: The cluster.

    Attributes:
        url: Its URL for clients.
        name: Its name in Helm.

    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.url = cluster.url
        self.name = NAME
        self._values = images.REPOSITORIES | dict(
            pair.split("=", 1) for pair in cluster.env.get("E2E_VALUES", "").split()
        )
        self._application: Application = "chat"

    async def make_namespace(self) -> None:
        """Create the namespace, which enforces Pod Security "restricted"."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        await self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.cluster.namespace, "labels": labels},
            }
        )

    async def install(self, values: Mapping[str, str] | None = None, *, waits: bool = True) -> None:
        """Install the chart, with its default values except the given ones."""
        await self.make_namespace()
        await self.cluster.helm(
            "install", self.name, str(CHART), *_waiting(waits), *self.set_values(values or {})
        )

    async def upgrade(
        self, values: Mapping[str, str] | None = None, *, chart: Path = CHART, waits: bool = True
    ) -> None:
        """Upgrade the release and wait until it has rolled out; values that are not given are the chart's defaults."""
        await self.cluster.helm(
            *("upgrade", self.name, str(chart), "--reset-values", *_waiting(waits)),
            *self.set_values(values or {}),
        )

    async def uids(self) -> dict[str, str]:
        """Return the UIDs of all pods of the services and of Redis, by their names."""
        return {
            pod.name: pod.uid
            for component in ("gateway", "auth", "redis")
            for pod in await self.pods(component)
        }

    async def volume(self) -> str:
        """Return the UID of Redis' volume."""
        claim = await self.cluster.get("persistentvolumeclaim", f"data-{self.name}-roomwire-redis-0")
        uid: str = claim["metadata"]["uid"]
        return uid

    async def until_scaled(self, count: int, *, within_s: float = _WAIT_S) -> None:
        """Wait until the autoscaler sees this many gateways.

        Raises:
            ClusterError: It does not see them in time.

        """
        deadline = time.monotonic() + within_s
        while True:
            scaler = await self.cluster.get("horizontalpodautoscaler", f"{self.name}-roomwire-gateway")
            if scaler.get("status", {}).get("currentReplicas") == count:
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"the autoscaler does not see {count} gateways: {scaler.get('status')}")
            await asyncio.sleep(_LOOK_S)

    async def serve(self, application: Application) -> None:
        """Serve an application from now on; later upgrades keep its values."""
        if application != self._application:
            self._application = application
            await self.upgrade()
            await self.until_ready("gateway", 2)

    def fits(self, chart: Path) -> bool:
        """Return whether a chart, which may be an older one, accepts all values of the application."""
        schema = json.loads((chart / "values.schema.json").read_text("utf-8"))["properties"]
        names = (name.split(".")[:2] for name in VALUES[self._application])
        return all(name in schema.get(part, {}).get("properties", {}) for part, name in names)

    def set_values(self, values: Mapping[str, str]) -> list[str]:
        """Return helm's arguments for the values, the cluster's and the application's included; a path stands for a file's text."""
        return [
            part
            for name, value in {**self._values, **VALUES[self._application], **values}.items()
            for part in ("--set-file" if isinstance(value, Path) else "--set", f"{name}={value}")
        ]

    async def remove(self) -> None:
        """Delete the namespace and all that is in it."""
        await self.cluster.kubectl(
            "delete", "namespace", self.cluster.namespace, "--ignore-not-found", "--wait"
        )

    async def pods(self, component: str) -> list[Pod]:
        """Return the existing pods of a component, including those that are terminating."""
        labels = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component={component}"
        found = await self.cluster.get("pods", "--selector", labels)
        return [_pod(item) for item in found["items"]]

    async def ready(self, component: str) -> list[Pod]:
        """Return the pods of a component that are ready and not terminating."""
        return [pod for pod in await self.pods(component) if pod.is_ready and not pod.is_going]

    async def until_ready(
        self, component: str, count: int, *, without: Sequence[str] = (), within_s: float = _WAIT_S
    ) -> list[Pod]:
        """Wait until a component has exactly this many pods, and all are ready.

        Args:
            component: The component.
            count: The number of pods.
            without: UIDs of pods that have to be gone.
            within_s: Time limit.

        Raises:
            ClusterError: The pods were not there in time.

        """
        deadline = time.monotonic() + within_s
        while True:
            pods = await self.pods(component)
            if len(pods) == count and all(pod.is_ready and pod.uid not in without for pod in pods):
                return pods
            if time.monotonic() > deadline:
                raise ClusterError(f"{component}: {count} ready pods expected, there are {pods}")
            await asyncio.sleep(_LOOK_S)

    async def kill(self, pod: Pod) -> None:
        """End a pod with the shortest notice that Kubernetes can give, a second or two, which is too short for a drain."""
        await self.cluster.kubectl("delete", "pod", pod.name, "--grace-period=0", "--force", "--wait=false")

    async def end(self, pod: Pod) -> None:
        """End a pod within a second, but not by force: two pods of a StatefulSet could then write to one volume for a while."""
        await self.cluster.kubectl("delete", "pod", pod.name, "--grace-period=1", "--wait=false")

    async def evict(self, pod: Pod) -> None:
        """Evict a pod, as draining a node does: its disruption budget and its grace period apply."""
        await self.cluster.kubectl(
            "create",
            "--raw",
            f"/api/v1/namespaces/{self.cluster.namespace}/pods/{pod.name}/eviction",
            "--filename",
            "-",
            text=json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name}}),
        )

    async def scale(self, replicas: int) -> None:
        """Set the number of gateways by hand."""
        await self.cluster.kubectl(
            "scale", f"deployment/{self.name}-roomwire-gateway", f"--replicas={replicas}"
        )

    async def until_served(self, *, within_s: float = _WAIT_S) -> None:
        """Wait until the ingress routes to both services; pods may be ready before it does.

        Raises:
            ClusterError: It does not route to them in time.

        """
        deadline = time.monotonic() + within_s
        paths = ("/auth/.well-known/jwks.json", "/socket.io/?EIO=4&transport=polling")
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            for path in paths:
                while not (answer := await http.get(self.url + path)).is_success:
                    if time.monotonic() > deadline:
                        raise ClusterError(f"{path} answers {answer.status_code} through the ingress")
                    await asyncio.sleep(_LOOK_S)

    async def token(self) -> str:
        """Return an access token of a new guest."""
        answer = await self.post("/auth/guest", {"name": "visitor"})
        token: str = answer.json()["access_token"]
        return token

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Send a request to the release through its ingress, as a client does.

        Raises:
            ClusterError: The release refuses it.

        """
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            answer = await http.post(self.url + path, json=body)
        if answer.is_error:
            raise ClusterError(f"{path} answers {answer.status_code}: {answer.text[:300]}")
        return answer


def _waiting(waits: bool) -> tuple[str, ...]:  # noqa: FBT001 - the only thing that it is asked
    return ("--wait", "--timeout", "8m") if waits else ()


def _pod(item: Mapping[str, Any]) -> Pod:
    conditions = {one["type"]: one["status"] for one in item["status"].get("conditions", [])}
    return Pod(
        name=item["metadata"]["name"],
        uid=item["metadata"]["uid"],
        ip=item["status"].get("podIP", ""),
        is_ready=conditions.get("Ready") == "True",
        is_going="deletionTimestamp" in item["metadata"],
    )


def release_of(stage: Stage) -> Release:
    """Return the release that a phase works with, which is in the place of the fault suite's local system."""
    return cast("Release", stage.system)
