"""Compares what a pod runs with the wheel of a release, by the hashes of the files."""

import zipfile
from pathlib import Path
from typing import Final

from roomwire_e2e.cluster import ClusterError
from roomwire_e2e.release import Release

_SHOW: Final = (
    "import sys; from importlib.metadata import distribution as d; print(d(sys.argv[1]).read_text('RECORD'))"
)
_BUNDLED: Final = "socket.io.esm.min.js,"
"""The client of the console: an image on the base image does not run `roomwire dev`."""


async def compare(release: Release, component: str, wheel: Path) -> str:
    """Return a sentence that says what the pods of a component run.

    Raises:
        ClusterError: A file of the wheel is missing there, or another file is in its place.

    """
    package = wheel.name.partition("-")[0]
    pod = (await release.ready(component))[0]
    python = "/opt/roomwire/bin/python"
    installed = await release.cluster.kubectl("exec", pod.name, "--", python, "-c", _SHOW, package)
    with zipfile.ZipFile(wheel) as archive:
        (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        released = archive.read(record).decode()
    if found := differences(released, installed):
        raise ClusterError(f"{component} does not run {wheel.name}: {', '.join(found)}")
    return f"{component} runs the files of {wheel.name}"


def differences(released: str, installed: str) -> list[str]:
    """Return the paths of a wheel's files that are not installed as they were released; both texts are RECORD files."""
    lines = {line for line in released.splitlines() if ".dist-info/" not in line and _BUNDLED not in line}
    return sorted(line.partition(",")[0] for line in lines - {*installed.splitlines()})
