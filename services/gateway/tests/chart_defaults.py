"""What the chart sets unless its values say otherwise: settings, limits of memory, the files of Redis.

They are read from the objects that the chart renders (`deploy/helm/tests/rendered`, kept by `make render`), so that what is
attacked here is what an operator installs.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

RENDERED = Path(__file__).parents[3] / "deploy/helm/tests/rendered"
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


class Container(msgspec.Struct, frozen=True):
    """One container of the chart.

    Attributes:
        settings: Its settings, by name without `ROOMWIRE_`; those that are read from the pod are left out.
        memory_bytes: Its limit of memory.

    """

    settings: dict[str, str]
    memory_bytes: int


@cache
def container(component: str) -> Container:
    """Return the container of a component, such as `gateway`."""
    kind = "statefulset" if component == "redis" else "deployment"
    (found,) = _rendered(f"{component}/{kind}")["spec"]["template"]["spec"]["containers"]
    settings = {one["name"]: one["value"] for one in found.get("env", ()) if "value" in one}
    return Container(
        settings={name.removeprefix("ROOMWIRE_"): value for name, value in settings.items()},
        memory_bytes=_bytes(found["resources"]["limits"]["memory"]),
    )


def redis_files() -> dict[str, str]:
    """Return the files of the chart's Redis, by name."""
    files: dict[str, str] = _rendered("redis/configmap")["data"]
    return files


def _rendered(path: str) -> Any:
    """Return an object of an installation without values: the first one in its file."""
    text = (RENDERED / f"{path}.txt").read_text(encoding="utf-8")
    first = re.split(r"^$\n# ", text, maxsplit=1, flags=re.MULTILINE)[0]
    # A file of the chart's own stands there by its name.
    return yaml.safe_load(re.sub(r": \| <(.*)>$", r": \1", first, flags=re.MULTILINE))


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]
