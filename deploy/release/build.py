"""Builds everything that a release consists of into one folder: `python deploy/release/build.py`, or `make release`.

A release has wheels and sdists of the packages, the chart, an archive of each image, a bill of materials for each package
and image (CycloneDX), and the SHA-256 of all of them. Times come from the commit (`SOURCE_DATE_EPOCH`), so the same commit
gives the same bytes; for images that holds for the layers that this tree adds, and not for the base image.
"""

import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

TOP: Final = Path(__file__).resolve().parents[2]
CHART: Final = TOP / "deploy" / "helm" / "roomwire"
PACKAGES: Final[Mapping[str, Path]] = {
    "roomwire": TOP / "services" / "roomwire",
    "gateway": TOP / "services" / "gateway",
    "auth": TOP / "services" / "auth",
    "local": TOP / "deploy" / "local",
}
"""The folders of the released packages, the library first."""
IMAGES: Final[Mapping[str, str]] = {"base": "roomwire", "gateway": "gateway", "auth": "auth"}
"""The released images: `roomwire-<name>`, and the package whose folder contains its Dockerfile."""
BUNDLED: Final[Mapping[str, tuple[str, ...]]] = {
    "roomwire": ("socket.io-client",),
    "gateway": ("socket.io-client",),
    "auth": ("swagger-ui-dist",),
}
"""npm packages whose files are in a package's wheel."""
SUMS: Final = "SHA256SUMS"
_BIN: Final = Path(sys.executable).parent
_SAVE: Final[Mapping[str, Sequence[str]]] = {
    "buildah": ("push", "{image}", "oci-archive:{file}"),
    "podman": ("save", "--format", "oci-archive", "--output", "{file}", "{image}"),
    "docker": ("save", "--output", "{file}", "{image}"),
}
"""How each program that builds images writes one to a file."""


class ReleaseError(Exception):
    """The release cannot be built; the text says what to do."""


def version() -> str:
    """Return the version of the release.

    Raises:
        ReleaseError: The versions of the packages and the chart differ.

    """
    found = {
        str(folder.relative_to(TOP)): project(package)["version"] for package, folder in PACKAGES.items()
    }
    chart = (CHART / "Chart.yaml").read_text()
    for key in ("version", "appVersion"):
        match = re.search(rf'^{key}: "?([^"\n]+)"?$', chart, re.MULTILINE)
        found[f"{key} of the chart"] = match[1] if match else "none"
    if len({*found.values()}) != 1:
        raise ReleaseError(
            f"the versions differ: {', '.join(f'{name} {one}' for name, one in found.items())}"
        )
    return str(found["services/roomwire"])


def project(package: str) -> Mapping[str, Any]:
    """Return a package's metadata."""
    table: Mapping[str, Any] = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text())["project"]
    return table


def epoch() -> str:
    """Return the time of everything that is built: `SOURCE_DATE_EPOCH`, or otherwise the commit's time."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    return _said(["git", "log", "-1", "--format=%ct"]).strip()


def build_packages(folder: Path) -> None:
    """Build a wheel and an sdist of each package.

    Raises:
        ReleaseError: Files of the pages are missing.

    """
    if missing := [file for file in _bundled_files() if not file.exists()]:
        raise ReleaseError(f"{missing[0].relative_to(TOP)} is missing: make install copies it")
    for source in PACKAGES.values():
        hatchling = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--target", "wheel"]
        _run([*hatchling, "--directory", folder], cwd=source)


def build_chart(folder: Path) -> None:
    """Package the chart; Helm's archive contains the time of packaging, so it is rewritten with the commit's time."""
    with tempfile.TemporaryDirectory() as scratch:
        _run(
            [
                shutil.which("helm", path=f"{_BIN}:{os.environ['PATH']}") or "helm",
                "package",
                CHART,
                "-d",
                scratch,
            ]
        )
        (packaged,) = Path(scratch).glob("*.tgz")
        (folder / packaged.name).write_bytes(_dated(packaged.read_bytes(), int(epoch())))


def build_bills(folder: Path) -> None:
    """Write a bill of materials for each package and image: the packages installed with it, and those bundled from npm.

    An image's bill has the versions that the image adds to its base image: both are installed from the same lock file. The other
    bills have the versions that are used for development.
    """
    run, dev = (TOP / "requirements" / f"{name}.txt" for name in ("run", "dev"))
    uv = _BIN / "uv"
    for part in dict.fromkeys((*PACKAGES, *IMAGES)):
        package = IMAGES.get(part, part)
        distribution = project(package)["name"]
        name = f"roomwire-{part}" if part in IMAGES else distribution
        with tempfile.TemporaryDirectory() as scratch:
            python = Path(scratch) / "bin" / "python"
            _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, scratch])
            install = [uv, "pip", "install", "--quiet", "--python", python]
            (library,) = folder.glob("roomwire-*.whl")
            (wheel,) = folder.glob(f"{distribution.replace('-', '_')}-*.whl")
            if part in IMAGES:
                _run([*install, "--require-hashes", "-r", run])
                _run([*install, "--no-deps", *{library, wheel}])
            else:
                _run([*install, "--constraint", dev, "--find-links", folder, wheel])
            bill = folder / f"{name}-{version()}.cdx.json"
            command = [
                _BIN / "cyclonedx-py",
                "environment",
                python,
                "--output-reproducible",
                "--output-file",
                bill,
            ]
            _run([*command, "--pyproject", PACKAGES[package] / "pyproject.toml"])
        _complete(bill, part)


def build_images(folder: Path, command: Sequence[str] = (), saver: Sequence[str] = ()) -> None:
    """Build each image, and write it to a file.

    Args:
        folder: The folder.
        command: The command that builds an image, such as `docker build`. Default: the first of buildah, podman and docker.
        saver: The program that then has the images, such as `docker`. Default: the program that builds.

    Raises:
        ReleaseError: No program builds images, or it is not known how the program writes them to a file.

    """
    command = command or [f"{_builder()}", "build"]
    saver = saver or command[:1]
    kind = Path(saver[0]).name
    if kind not in _SAVE:
        raise ReleaseError(
            f"how {kind} writes an image to a file is not known: name the buildah, podman or docker that has it by "
            "--save-images-by"
        )
    revision = _said(["git", "rev-parse", "HEAD"]).strip()
    for name, package in IMAGES.items():
        image = f"localhost/roomwire-{name}:{version()}"
        stamp = [] if kind == "docker" else ["--timestamp", epoch()]
        arguments = ["--build-arg", f"VERSION={version()}", "--build-arg", f"REVISION={revision}", *stamp]
        dockerfile = PACKAGES[package] / "Dockerfile"
        _run([*command, "-f", dockerfile, "-t", image, *arguments, TOP])
        file = folder / f"roomwire-{name}-{version()}.image.tar"
        _run([*saver, *(part.format(image=image, file=file) for part in _SAVE[kind])])


def _builder() -> str:
    found = next((name for name in _SAVE if shutil.which(name)), None)
    if found is None:
        raise ReleaseError(
            "nothing here builds images: install buildah, podman or docker, or give --without-images"
        )
    return found


def write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file, in the form that `sha256sum --check` reads."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines))


def main(argv: Sequence[str] | None = None) -> int:
    """Build what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Build all that a release consists of.")
    parser.add_argument(
        "--folder", type=Path, default=TOP / "dist", help="output folder, emptied first; default: dist"
    )
    parser.add_argument("--tag", default="", help="fail unless the tag is 'v' and the version")
    parser.add_argument("--without-images", action="store_true", help="leave out the archives of the images")
    parser.add_argument(
        "--build-images-by",
        type=shlex.split,
        default=(),
        help="command that builds an image, such as 'docker build'; default: buildah, podman or docker",
    )
    parser.add_argument(
        "--save-images-by",
        type=shlex.split,
        default=(),
        help="program that has the built images, such as 'docker'; default: the program that builds them",
    )
    asked = parser.parse_args(argv)
    folder = asked.folder.resolve()
    try:
        if asked.tag not in {"", f"v{version()}"}:
            raise ReleaseError(f"the tag {asked.tag} is not v{version()}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        build_packages(folder)
        build_chart(folder)
        build_bills(folder)
        if asked.without_images:
            print("without the archives of the images, as asked")
        else:
            build_images(folder, asked.build_images_by, asked.save_images_by)
        write_sums(folder)
    except (ReleaseError, subprocess.CalledProcessError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print((folder / SUMS).read_text(), end="")
    return 0


def _bundled_files() -> Sequence[Path]:
    """Return the files that packages contain and git does not, by the names in their metadata."""
    files = []
    for source in PACKAGES.values():
        tables = tomllib.loads((source / "pyproject.toml").read_text())
        for pattern in tables["tool"]["hatch"]["build"]["targets"]["wheel"].get("artifacts", ()):
            files += sorted(source.glob(pattern)) or [source / pattern]
    return files


def _complete(bill: Path, package: str) -> None:
    """Add the npm packages that a package bundles to its bill of materials."""
    packages = json.loads((TOP / "package-lock.json").read_text())["packages"]
    content = json.loads(bill.read_text())
    for name in BUNDLED.get(package, ()):
        locked = packages[f"node_modules/{name}"]
        algorithm, _, digest = locked["integrity"].partition("-")
        content["components"].append(
            {
                "bom-ref": f"npm:{name}",
                "type": "library",
                "name": name,
                "version": locked["version"],
                "purl": f"pkg:npm/{name}@{locked['version']}",
                "licenses": [{"license": {"id": locked["license"]}}],
                "hashes": [
                    {
                        "alg": algorithm.upper().replace("SHA", "SHA-"),
                        "content": base64.b64decode(digest).hex(),
                    }
                ],
            }
        )
    # Paths of the building machine are removed.
    text = json.dumps(content, indent=2, sort_keys=True).replace(f"file://{bill.parent}/", "")
    bill.write_text(text + "\n")


def _dated(archive: bytes, time_s: int) -> bytes:
    """Return a tar.gz with its files sorted by name, and with one time."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as given,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as dated,
    ):
        for member in sorted(given.getmembers(), key=lambda it: it.name):
            clean = tarfile.TarInfo(member.name)
            clean.size, clean.mode, clean.type, clean.mtime = member.size, member.mode, member.type, time_s
            dated.addfile(clean, given.extractfile(member))
    return gzip.compress(plain.getvalue(), mtime=time_s)


def _environment() -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {**given, "SOURCE_DATE_EPOCH": epoch()}


def _run(command: Sequence[object], *, cwd: Path = TOP) -> None:
    subprocess.run(
        [str(part) for part in command], check=True, cwd=cwd, env=_environment(), stdout=subprocess.DEVNULL
    )


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, cwd=TOP, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
