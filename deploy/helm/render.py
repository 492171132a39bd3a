"""`make render`: writes the files that are generated from the chart, so that nothing is maintained twice by hand.

The comments of `values.yaml` give `values.schema.json`, closed at every level, and the chart's README. The chart gives
the plain manifests in `deploy/k8s`, and the rendering of all cases in `tests/rendered`. Tests fail if a file is
out of date.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rendered
import yaml
from helm_template import CHART, ROOT, template

MANIFESTS = ROOT / "deploy/k8s/roomwire.yaml"
_TYPES = {
    "str": "string",
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "seq": "array",
    "map": "object",
    "null": "null",
}
_POD = "@pod"
"""Marks a part of the values that also accepts the values of `pods`, for its own pods."""
_README = """# Roomwire's chart

Install it with `helm install roomwire deploy/helm/roomwire`; [docs/kubernetes.md](../../../docs/kubernetes.md) has the details.
`make render` generates this page from the comments of `values.yaml`.

Values under `pods` apply to all pods: those of the services, Redis, the Jobs and `helm test`.

PARTS also accept each of these values for their own pods, as in `gateway.tolerations` or `secrets.nodeSelector`: a map is
merged with that of `pods`, any other value replaces it, and `null` removes it.

| value | default | meaning |
|---|---|---|
"""
_MANIFESTS = """# Generated from the chart by `make render`: do not edit it. Image names are those of images on the nodes; with a registry:
#   sed 's|image: roomwire-|image: REGISTRY/roomwire-|' deploy/k8s/roomwire.yaml | kubectl apply -n NAMESPACE -f -
"""
_IMAGES = {service: f"roomwire-{service}" for service in ("gateway", "auth")}


@dataclass(frozen=True)
class Value:
    """A value of the chart: its path, its default, and its description from the comment above it.

    Attributes:
        path: The keys that lead to it.
        default: Its default.
        kind: The default's type, as JSON Schema names it.
        description: The comment's description.
        schema: The additional schema in the comment.
        is_of_one_pod: Whether it is one of the values of `pods`, repeated for the pods of one part.

    """

    path: tuple[str, ...]
    default: Any
    kind: str
    description: str
    schema: Mapping[str, Any]
    is_of_one_pod: bool = False


def values(text: str) -> list[Value]:
    """Return the values in order.

    Raises:
        SystemExit: A value has no description.

    """
    lines, root = text.splitlines(), yaml.compose(text)
    found = list(_walk(root, lines, ()))
    of_pods = [value for value in found if value.path[0] == "pods"]
    for part in _parts(root, lines, ()):
        last = max(index for index, value in enumerate(found) if value.path[: len(part)] == part)
        taken = {value.path for value in found}
        found[last + 1 : last + 1] = [
            dataclasses.replace(value, path=(*part, value.path[-1]), is_of_one_pod=True)
            for value in of_pods
            if (*part, value.path[-1]) not in taken
        ]
    return found


def _parts(node: Any, lines: list[str], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the parts that have their own pods."""
    for key, value in node.value:
        if _POD in _above(lines, key.start_mark.line):
            yield (*path, key.value)
        if value.tag.endswith(":map"):
            yield from _parts(value, lines, (*path, key.value))


def _walk(node: Any, lines: list[str], path: tuple[str, ...]) -> Iterator[Value]:
    for key, value in node.value:
        here = (*path, key.value)
        description, schema = _comment(lines, key.start_mark.line)
        kind = _TYPES[value.tag.rpartition(":")[2]]
        if description:
            yield Value(here, yaml.safe_load(yaml.serialize(value)), kind, description, schema)
        elif kind == "object" and value.value:
            yield from _walk(value, lines, here)
        else:
            raise SystemExit(f"values.yaml: {'.'.join(here)} has no comment that begins with `# --`")


def _comment(lines: list[str], line: int) -> tuple[str, Mapping[str, Any]]:
    """Return the description and the schema directly above a line."""
    comment = _above(lines, line)
    start = next((index for index, text in enumerate(comment) if text.startswith("--")), None)
    if start is None:
        return "", {}
    told = [text for text in comment[start:] if not text.startswith("@schema")]
    schema = next((text.removeprefix("@schema") for text in comment if text.startswith("@schema")), "{}")
    return " ".join(told).removeprefix("--").strip(), json.loads(schema)


def _above(lines: list[str], line: int) -> list[str]:
    """Return the comment directly above a line."""
    comment: list[str] = []
    while line and lines[line - 1].strip().startswith("#"):
        line -= 1
        comment.insert(0, lines[line].strip().removeprefix("#").strip())
    return comment


def schema_of(described: list[Value]) -> str:
    """Return `values.schema.json`."""
    root: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", **_object()}
    # Helm gives every chart this property.
    root["properties"]["global"] = {"type": "object"}
    for value in described:
        level = root
        for name in value.path[:-1]:
            level = level["properties"].setdefault(name, _object())
        level["properties"][value.path[-1]] = {
            "description": value.description,
            "type": value.kind,
            **value.schema,
        }
        if value.is_of_one_pod:
            _allow_null(level["properties"][value.path[-1]])
    return json.dumps(root, indent=2) + "\n"


def _allow_null(schema: dict[str, Any]) -> None:
    """Allow a part to remove a value of `pods`: all of it, or one entry."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    schema["type"] = sorted({*kinds, "null"})
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = {"type": ["null", "string"]}


def _object() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def readme_of(described: list[Value]) -> str:
    """Return the chart's README."""
    rows = (
        f"| `{'.'.join(value.path)}` | `{json.dumps(value.default)}` | {value.description.replace('|', chr(92) + '|')} |\n"
        for value in described
        if not value.is_of_one_pod
    )
    parts = dict.fromkeys(".".join(value.path[:-1]) for value in described if value.is_of_one_pod)
    *most, last = (f"`{part}`" for part in parts)
    return _README.replace("PARTS", f"{', '.join(most)} and {last}") + "".join(rows)


def manifests() -> str:
    """Return the plain manifests: the chart with its defaults, for any namespace, without the fields that only Helm understands."""
    named = {service: {"image": {"repository": image}} for service, image in _IMAGES.items()}
    made = template(named, "--skip-tests", release="roomwire", namespace="roomwire")
    documents = [_plain(document) for document in yaml.safe_load_all(made) if document]
    return _MANIFESTS + yaml.safe_dump_all(documents, sort_keys=False, width=120)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document["metadata"]
    metadata.pop("namespace", None)
    annotations = {
        name: value
        for name, value in metadata.pop("annotations", {}).items()
        if not name.startswith("helm.sh/")
    }
    if annotations:
        metadata["annotations"] = annotations
    plain = _without_helm(document)
    return _once(plain) if plain["kind"] == "Job" else plain


def _once(job: dict[str, Any]) -> dict[str, Any]:
    """Return a Job as a bare Pod, so that it can be applied again: a Job's image cannot be changed, a Pod's can.

    The Pod's name depends on what cannot be changed in a Pod either.
    """
    metadata, spec = job["metadata"], job["spec"]["template"]["spec"]
    fixed = json.loads(json.dumps(spec))
    for container in fixed["containers"]:
        del container["image"]
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:10]
    name = re.sub(r"\d+-[0-9a-f]+$", digest, metadata["name"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": name}, "spec": spec}


def _without_helm(value: Any) -> Any:
    """Remove the labels that mark an object as managed by Helm."""
    if isinstance(value, list):
        return [_without_helm(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_helm(item)
        for name, item in value.items()
        if not re.fullmatch(r"helm\.sh/chart|app\.kubernetes\.io/managed-by", name)
    }


def from_values() -> dict[Path, str]:
    """Return the content of each file that is generated from `values.yaml`."""
    described = values((CHART / "values.yaml").read_text(encoding="utf-8"))
    return {CHART / "values.schema.json": schema_of(described), CHART / "README.md": readme_of(described)}


def main() -> None:
    """Write all files."""
    # The schema comes first, because Helm checks the values of each rendering against it.
    _write(from_values())
    cases = rendered.files()
    _write({MANIFESTS: manifests(), **cases})
    for path in {*rendered.FOLDER.rglob("*.txt")} - {*cases}:
        path.unlink()


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
