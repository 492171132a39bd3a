"""The images under test: builds them from a checkout and loads them into the cluster."""

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from roomwire_e2e.cluster import TOP, Cluster, ClusterError, run
from roomwire_loadtest.faults.stage import Skipped

SERVICES: Final = ("gateway", "auth")
REGISTRY: Final = "docker.io/library"
"""The registry in the names of the images built here."""
REPOSITORIES: Final = {
    f"{part}.image.repository": f"{REGISTRY}/roomwire-{part.lower()}" for part in (*SERVICES, "loadTest")
}
"""The chart values that name the images built here."""
_BUILD_S: Final = 1_200.0
_STAND_IN: Final = Path(__file__).with_name("redis.Dockerfile")


def builder(cluster: Cluster) -> list[str]:
    """Return the command that builds images: `E2E_BUILD`, the local cluster's, or the first of docker, podman and buildah.

    Raises:
        ClusterError: There is no such command.

    """
    if asked := cluster.env.get("E2E_BUILD"):
        return shlex.split(asked)
    if cluster.tool is not None:
        return [str(cluster.tool), "build"]
    for name in ("docker", "podman", "buildah"):
        if shutil.which(name, path=cluster.env.get("PATH")):
            return [name, "build"]
    raise ClusterError("nothing here builds images: install docker, podman or buildah, or set E2E_BUILD")


async def build(
    cluster: Cluster, tag: str, *, checkout: Path = TOP, services: Sequence[str] = SERVICES
) -> None:
    """Build images of services, and load them into the cluster (`E2E_LOAD`, such as `kind load docker-image`)."""
    for service in services:
        name = f"{REGISTRY}/roomwire-{service}:{tag}"
        dockerfile = checkout / "services" / service / "Dockerfile"
        await build_one(cluster, name, checkout, dockerfile)


async def build_base(cluster: Cluster, tag: str) -> None:
    """Build the base image of applications."""
    dockerfile = TOP / "services" / "roomwire" / "Dockerfile"
    await build_one(cluster, f"{REGISTRY}/roomwire-base:{tag}", TOP, dockerfile)


async def build_loadtest(cluster: Cluster, tag: str) -> None:
    """Build the load test's image, and load it into the cluster."""
    await build_one(cluster, f"{REGISTRY}/roomwire-loadtest:{tag}", TOP, TOP / "loadtest" / "Dockerfile")


async def build_redis(cluster: Cluster, name: str) -> None:
    """Build a replacement of the chart's Redis image for the local cluster, which cannot pull images."""
    if cluster.tool is None:
        return
    with tempfile.TemporaryDirectory() as empty:
        await build_one(cluster, f"docker.io/{name}", Path(empty), _STAND_IN)


async def build_one(cluster: Cluster, name: str, folder: Path, dockerfile: Path) -> None:
    """Build an image from a folder, and load it into the cluster."""
    command = [*builder(cluster), str(folder), "-f", str(dockerfile), "-t", name]
    await run(command, env=cluster.env, timeout_s=_BUILD_S)
    if load := cluster.env.get("E2E_LOAD"):
        await run([*shlex.split(load), name], env=cluster.env, timeout_s=_BUILD_S)


@contextlib.asynccontextmanager
async def checkout_of(revision: str, *, repository: Path = TOP) -> AsyncIterator[Path]:
    """Check out a revision into a temporary folder while the context lasts.

    Raises:
        Skipped: The revision does not exist, or has no images or no chart.

    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder}
        git = ["git", "-C", str(repository), "worktree"]
        try:
            await run([*git, "add", "--detach", str(tree), revision], env=env)
        except ClusterError as error:
            raise Skipped(f"{revision} cannot be had: {error}") from error
        try:
            needed = [
                "deploy/helm/roomwire/Chart.yaml",
                *(f"services/{name}/Dockerfile" for name in SERVICES),
            ]
            if not all((tree / path).exists() for path in needed):
                raise Skipped(f"{revision} has no images and chart to upgrade from")
            yield tree
        finally:
            await run([*git, "remove", "--force", str(tree)], env=env)
