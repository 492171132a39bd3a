"""Who may talk to whom, tried with real packets: each edge that is needed is open, and nothing else is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from e2e.release import Pod, Release

_TRY: Final = """
import json, socket, sys
open_ = []
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), 3).close()
        open_.append(True)
    except OSError:
        open_.append(False)
print(json.dumps(open_))
"""
_PORTS: Final = {
    "gateway": {"http": 8000, "ops": 9000},
    "auth": {"http": 8001, "ops": 9001},
    "redis": {"redis": 6379},
}
_NEEDED: Final = {("gateway", "redis", "redis"), ("gateway", "auth", "http"), ("auth", "redis", "redis")}


@dataclass(frozen=True)
class Edge:
    """A connection that was tried.

    Attributes:
        source: The component it was tried from, or `stranger`.
        target: The component.
        port: Its port's name.
        is_open: Whether it came about.
        is_needed: Whether it should.

    """

    source: str
    target: str
    port: str
    is_open: bool
    is_needed: bool

    @property
    def is_right(self) -> bool:
        """Whether it is as it should be."""
        return self.is_open is self.is_needed

    def __str__(self) -> str:
        state = "open" if self.is_open else "closed"
        wanted = "needed" if self.is_needed else "not needed"
        return f"{self.source} to {self.target}:{self.port} is {state}, {wanted}"


def wanted(source: str, target: str, port: str) -> bool:
    """Return whether an edge is needed; public ports are anybody's where the values name no clients."""
    return (source, target, port) in _NEEDED or port == "http"


async def edges(release: Release) -> list[Edge]:
    """Try every connection between the components, and from a pod that is none of them."""
    pods = {component: (await release.ready(component))[0] for component in _PORTS}
    stranger = await _stranger(release, pods["gateway"])
    try:
        found = []
        for source in ("gateway", "auth", "stranger"):
            tried = [
                (target, port, pods[target].ip, number)
                for target, ports in _PORTS.items()
                if target != source
                for port, number in ports.items()
            ]
            name = stranger if source == "stranger" else pods[source].name
            answers = await _try(release, name, [(ip, number) for _, _, ip, number in tried])
            found += [
                Edge(source, target, port, is_open, wanted(source, target, port))
                for (target, port, _, _), is_open in zip(tried, answers, strict=True)
            ]
        return found
    finally:
        await release.cluster.kubectl("delete", "pod", stranger, "--grace-period=0", "--force")


async def metrics_are_hidden(release: Release) -> str:
    """Ask the ingress for metrics; returns what is wrong, if anything."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        for path in ("/metrics", "/auth/metrics", "/readyz", "/auth/readyz"):
            answer = await http.get(release.url + path)
            if "roomwire_" in answer.text or answer.is_success:
                return f"{path} answers {answer.status_code} through the ingress"
    return ""


async def _try(release: Release, pod: str, targets: Sequence[tuple[str, int]]) -> list[bool]:
    command = ("exec", pod, "--", "python", "-c", _TRY, json.dumps(targets))
    answers: list[bool] = json.loads(await release.cluster.kubectl(*command))
    return answers


async def _stranger(release: Release, gateway: Pod) -> str:
    """Start a pod that belongs to nothing, from the gateway's image."""
    found = await release.cluster.get("pod", gateway.name)
    name = "stranger"
    manifest: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": found["spec"]["securityContext"],
            "containers": [
                {
                    "name": name,
                    "image": found["spec"]["containers"][0]["image"],
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", "import time; time.sleep(600)"],
                    "securityContext": found["spec"]["containers"][0]["securityContext"],
                }
            ],
        },
    }
    await release.cluster.apply(manifest)
    await release.cluster.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=120s")
    return name
