"""The chart, rendered by Helm once for the same values, however many tests use the result."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import helm_template
import yaml
from cases import SIZES
from helm_template import CHART, HELM, REGISTRY, ROOT, Refused

__all__ = ["CHART", "HELM", "REGISTRY", "ROOT", "SIZES", "Refused", "Release", "install", "template"]

# The loader of libyaml, if PyYAML was built with it, is ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _named(document: Mapping[str, Any]) -> str:
    """Return an object's name; a Job's name without its digest."""
    name = document["metadata"]["name"]
    return re.sub(r"-[0-9a-f]{6}$", "", name) if document["kind"] == "Job" else str(name)


class Release:
    """The chart's objects for given values."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["kind"] == kind]

    def job(self, name: str) -> Any:
        """Return the Job with this name, which has a digest appended."""
        (found,) = [document for document in self.all("Job") if name == _named(document)]
        return found

    def one(self, kind: str, name: str) -> Any:
        (found,) = [document for document in self.all(kind) if document["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the spec of each pod; a Job's name without its digest."""
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
        """Return the environment variables of a Deployment that have plain values."""
        (container,) = self.one("Deployment", name)["spec"]["template"]["spec"]["containers"]
        return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def template(values: Mapping[str, Any], *options: str, **where: str) -> str:
    """Return the output of `helm template`; see `helm_template.template`."""
    return _printed(json.dumps(values), *options, **where)


@cache
def _printed(values: str, *options: str, **where: str) -> str:
    return helm_template.template(json.loads(values), *options, **where)


def install(values: Mapping[str, Any] | None = None, *options: str, **where: str) -> Release:
    printed = template(values or {}, *options, **where)
    return Release([document for document in yaml.load_all(printed, _LOADER) if document])
