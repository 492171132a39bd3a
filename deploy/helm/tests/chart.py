"""The chart, rendered by Helm."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from render import CHART, HELM, ROOT

__all__ = ["CHART", "HELM", "REGISTRY", "ROOT", "SIZES", "Refused", "Release", "install", "template"]

REGISTRY = "registry.test/den"
"""Where images are, unless values say otherwise: the chart knows no registry."""

SIZES: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "everything": {
        "gateway": {
            "api": {
                "enabled": True,
                "existingSecret": "keys",
                "from": [{"podSelector": {"matchLabels": {"app": "shop"}}}],
                "ingress": True,
            },
            "autoscaling": {"enabled": True},
            "image": {"digest": f"sha256:{'0' * 64}"},
            "nodeSelector": {"pool": "chat"},
            "priorityClassName": "high",
            "podAnnotations": {"a": "b"},
            "settings": {"MAX_CONNECTIONS": "1000"},
        },
        "auth": {"clients": {"existingSecret": "clients"}},
        "imagePullSecrets": [{"name": "registry"}],
        "ingress": {"className": "traefik", "host": "chat.example.org", "tls": {"secretName": "certificate"}},
        "networkPolicy": {"clients": [{"namespaceSelector": {}}]},
        "loadTest": {"enabled": True, "workers": 3},
        "monitoring": {
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True, "runbook": "https://wiki.example.org/roomwire/runbook"},
            "dashboards": {"enabled": True},
        },
    },
    "elsewhere": {
        "redis": {
            "enabled": False,
            "existingSecret": "redis",
            "external": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        },
        "auth": {"enabled": False},
        "tokens": {"jwksUrl": "https://id.example.org/jwks"},
        "ingress": {"enabled": False},
    },
    "tls": {
        "gateway": {"tls": {"secretName": "gateway-certificate"}},
        "auth": {"tls": {"secretName": "auth-certificate"}},
        "ingress": {"serversTransport": "den-pods@kubernetescrd"},
    },
    "pods": {
        "pods": {
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": {"pool": "chat"},
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "podAnnotations": {"a": "b"},
            "podLabels": {"team": "chat"},
            "serviceAccountName": "people",
            "extraEnv": [{"name": "A", "value": "b"}],
            "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "extraContainers": [
                {
                    "name": "beside",
                    "image": "registry.test/beside:1",
                    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "extraIngress": [{"from": [{"podSelector": {"matchLabels": {"app": "shop"}}}]}],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}],
        },
        "policy": {"file": '[roles.guest]\n"*" = ["join"]\n'},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "sessionPersistence": True},
        "loadTest": {"enabled": True, "url": "http://traefik.traefik"},
    },
    "bare": {
        "gateway": {"relay": {"enabled": False}},
        "redis": {"persistence": {"enabled": False}},
        "networkPolicy": {"enabled": False},
    },
}
"""Values that together render every line."""


def _named(document: Mapping[str, Any]) -> str:
    """Return an object's name; a Job's without the digest of what it holds."""
    name = document["metadata"]["name"]
    return re.sub(r"-[0-9a-f]{6}$", "", name) if document["kind"] == "Job" else str(name)


class Refused(Exception):
    """Helm says no; the text is its message."""


class Release:
    """What the chart makes of values."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["kind"] == kind]

    def job(self, name: str) -> Any:
        """Return the Job of that name, which ends with what it holds."""
        (found,) = [document for document in self.all("Job") if name == _named(document)]
        return found

    def one(self, kind: str, name: str) -> Any:
        (found,) = [document for document in self.all(kind) if document["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the spec of each pod; a Job's is without what it holds."""
        for document in self.documents:
            if document["kind"] == "Pod":
                yield document["metadata"]["name"], document["spec"]
            elif document["kind"] == "CronJob":
                job = document["spec"]["jobTemplate"]["spec"]
                yield document["metadata"]["name"], job["template"]["spec"]
            elif "template" in document.get("spec", {}):
                yield _named(document), document["spec"]["template"]["spec"]

    def pod_labels(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the labels of each pod."""
        for document in self.documents:
            spec = document.get("spec", {})
            if document["kind"] == "Pod":
                yield document["metadata"]["name"], document["metadata"]["labels"]
            elif template := spec.get("jobTemplate", {}).get("spec", spec).get("template"):
                yield document["metadata"]["name"], template["metadata"]["labels"]

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a Deployment with plain values."""
        (container,) = self.one("Deployment", name)["spec"]["template"]["spec"]["containers"]
        return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def template(values: Mapping[str, Any], *, release: str = "chat", namespace: str = "den") -> str:
    """Return what `helm template` prints.

    Raises:
        Refused: The values cannot work, or do not fit the schema.

    """
    command = [str(HELM), "template", release, str(CHART), "--namespace", namespace, "--values", "-"]
    values = {"images": {"registry": REGISTRY}} | dict(values)
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def install(values: Mapping[str, Any] | None = None, **options: str) -> Release:
    return Release(
        [document for document in yaml.safe_load_all(template(values or {}, **options)) if document]
    )
