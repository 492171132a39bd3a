"""The chart, rendered by Helm."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from render import CHART, HELM, ROOT

__all__ = ["CHART", "HELM", "ROOT", "SIZES", "Refused", "Release", "install", "template"]

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
            "tolerations": [{"operator": "Exists"}],
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
            "prometheusRule": {"enabled": True},
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
    "bare": {
        "gateway": {"relay": {"enabled": False}},
        "redis": {"persistence": {"enabled": False}},
        "networkPolicy": {"enabled": False},
    },
}
"""Values that together render every line."""


class Refused(Exception):
    """Helm says no; the text is its message."""


class Release:
    """What the chart makes of values."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, name: str) -> Any:
        (found,) = [document for document in self.all(kind) if document["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the spec of each pod."""
        for document in self.documents:
            if document["kind"] == "Pod":
                yield document["metadata"]["name"], document["spec"]
            elif document["kind"] == "CronJob":
                job = document["spec"]["jobTemplate"]["spec"]
                yield document["metadata"]["name"], job["template"]["spec"]
            elif "template" in document.get("spec", {}):
                yield document["metadata"]["name"], document["spec"]["template"]["spec"]

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
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def install(values: Mapping[str, Any] | None = None, **options: str) -> Release:
    return Release(
        [document for document in yaml.safe_load_all(template(values or {}, **options)) if document]
    )
