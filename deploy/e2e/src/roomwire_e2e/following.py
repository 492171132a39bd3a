"""Follows the README's lines on a cluster: from an empty folder to an installed application, whose `helm test` passes.

Two browsers then see each other's notes through the cluster's ingress, by the tests that do the same without a cluster.
"""

import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from roomwire_e2e import images
from roomwire_e2e.cluster import TOP, ClusterError, run
from roomwire_e2e.readme import readme, written
from roomwire_e2e.release import Release
from roomwire_e2e.wheels import compare

_BASE: Final = "FROM roomwire-base:"
_GO_ON: Final = ("roomwire dev ", "roomwire up ")
"""Lines that run until Ctrl-C; the tests of a release follow them."""
_RUN_BY: Final = {"gateway": "roomwire", "auth": "roomwire_auth"}
"""The package of the release that the pods of a component run."""
_PAGE: Final = TOP / "deploy" / "local" / "tests" / "test_notes_page.py"
_PAGE_TESTS: Final = (
    "test_both_browsers_show_what_each_of_them_writes",
    "test_a_page_whose_connection_is_cut_shows_that_its_session_is_recovered_and_misses_nothing",
)
_PAGE_S: Final = 300.0


async def follow(release: Release) -> list[str]:
    """Follow the lines in an empty folder, with a release's folder; returns each line with the time that it took.

    The application replaces everything that is installed in the namespace, and `release` is the application from now on.

    Raises:
        ClusterError: A line fails, or this module does not know it.

    """
    here, _, (build, install, test) = readme().blocks
    cluster = release.cluster
    with tempfile.TemporaryDirectory() as scratch:
        dist, empty = await _released(release, Path(scratch)), Path(scratch) / "empty"
        empty.mkdir()
        words = {"DIST": str(dist), "REGISTRY": images.REGISTRY, "NAMESPACE": cluster.namespace}
        took = []

        async def type_in(lines: Sequence[str], folder: Path) -> Path:
            began = time.monotonic()
            script = "\n".join(["set -e", *(written(line, words) for line in lines), "pwd"])
            env = {**cluster.env, "HELM_NAMESPACE": cluster.namespace}
            said = await run(["bash", "-c", script], env=env, folder=folder)
            took.append(f"{lines[-1].partition('#')[0].strip()}: done {time.monotonic() - began:.0f} s later")
            return Path(said.splitlines()[-1])

        folder = await type_in([line for line in here if not line.startswith(_GO_ON)], empty)
        image = image_of(written(build, words))
        await _prepare(release, folder)
        await images.build_one(cluster, image, folder, folder / "Dockerfile")
        took.append(build)
        release.name = name_of(install)
        await type_in([install], folder)
        await release.until_ready("gateway", 2)
        await release.until_served()
        await type_in([test], folder)
        for component, package in _RUN_BY.items():
            (wheel,) = dist.glob(f"{package}-*.whl")
            took.append(await compare(release, component, wheel))
        took.append(await _browse(release))
        return took


async def _released(release: Release, scratch: Path) -> Path:
    """Return the folder of a release: `RELEASE_FOLDER`, or one that is built here without the archives of the images."""
    env = release.cluster.env
    if given := env.get("RELEASE_FOLDER"):
        return TOP / given
    dist, builder = scratch / "dist", TOP / "deploy" / "release" / "build.py"
    await run([sys.executable, str(builder), "--folder", str(dist), "--without-images"], env=env)
    return dist


async def _browse(release: Release) -> str:
    """Let two browsers write notes on the application's page; returns the last line of the tests.

    Raises:
        ClusterError: A test fails.

    """
    tests = [f"{_PAGE}::{test}" for test in _PAGE_TESTS]
    said = await run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        env={**release.cluster.env, "NOTES_PAGE_URL": release.url, "CI": "true"},
        timeout_s=_PAGE_S,
    )
    return f"two browsers: {said.strip().splitlines()[-1]}"


def image_of(line: str) -> str:
    """Return the name of the image that a line builds from the working directory and pushes.

    Raises:
        ClusterError: It builds no image.

    """
    match shlex.split(line):
        case ["docker", "build", "-t", name, ".", "&&", "docker", "push", pushed] if name == pushed:
            return name
    raise ClusterError(f"no line that builds an image: {line}")


def name_of(line: str) -> str:
    """Return Helm's name of a release, taken from the line that installs it.

    Raises:
        ClusterError: It installs no release.

    """
    match shlex.split(line):
        case ["helm", "install", name, *_]:
            return name
    raise ClusterError(f"no line that installs a release: {line}")


async def _prepare(release: Release, folder: Path) -> None:
    """Build the base image for the application's Dockerfile, and remove the present release: only one ingress may answer without a host."""
    dockerfile = folder / "Dockerfile"
    text = dockerfile.read_text(encoding="utf-8")
    if not text.startswith(_BASE):
        raise ClusterError(f"the image of an application is not built on the base image: {text}")
    _, _, version = text.partition("\n")[0].rpartition(":")
    await images.build_base(release.cluster, version)
    dockerfile.write_text(text.replace(_BASE, f"FROM {images.REGISTRY}/roomwire-base:"), encoding="utf-8")
    await release.remove()
    await release.make_namespace()
