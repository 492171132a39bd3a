"""A release, built once, and environments into which it is installed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import build

Install = Callable[..., Path]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> Path:
    """The folder of a release: `RELEASE_FOLDER`, or one that is built here without images."""
    if given := os.environ.get("RELEASE_FOLDER"):
        return Path(given).resolve()
    folder = tmp_path_factory.mktemp("release")
    assert 0 == build.main(["--folder", str(folder), "--without-images"])
    return folder


@pytest.fixture(scope="session")
def lock() -> Path:
    """The lock file for other projects' packages: the one for development, which has the images' versions as well."""
    return build.TOP / "requirements" / "dev.txt"


@pytest.fixture(scope="session")
def empty(tmp_path_factory) -> Callable[[], Path]:
    """Return a function that creates a fresh environment and returns its interpreter."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("environment")
        run(UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
        return folder / "bin" / "python"

    return make


@pytest.fixture(scope="session")
def installed(release, lock, empty) -> Install:
    """Return a function that creates an environment with packages of the release and returns its interpreter.

    Their dependencies come first, from the index, at the versions of the lock file: the release itself is
    installed without an index, from its folder alone.
    """

    def install(*packages: str) -> Path:
        python = empty()
        pip = [UV, "pip", "install", "--quiet", "--python", python]
        run(*pip, "--constraint", lock, "--find-links", release, *packages)
        ours = [build.project(package)["name"] for package in build.PACKAGES]
        run(UV, "pip", "uninstall", "--quiet", "--python", python, *ours)
        run(*pip, "--no-index", "--find-links", release, *packages)
        run(UV, "pip", "check", "--quiet", "--python", python)
        return python

    return install


@pytest.fixture(scope="session")
def core(installed) -> Path:
    """An environment with the library and no extra."""
    return installed("roomwire")


@pytest.fixture(scope="session")
def serving(installed) -> Path:
    """An environment with both services, and thus with the extra `service`."""
    return installed("roomwire-gateway", "roomwire-auth")


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts programs, which end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: object, cwd: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        begun = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env=clean(env), text=True, stderr=subprocess.PIPE
        )
        started.append(begun)
        return begun

    yield start
    for each in started:
        each.kill()
        each.communicate()


def clean(more: dict[str, str] | None = None) -> dict[str, str]:
    """Return environment variables that do not refer to this tree."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {**kept, **(more or {})}


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
