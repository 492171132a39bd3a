"""The programs that `make programs` runs, each in an environment of its own, with the class replaced and without.

An environment has what a lock file in `requirements/programs` names, and Roomwire from this checkout. It stays below `.local/programs`
until the lock file changes.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
LOCKS: Final = ROOT / "requirements" / "programs"
BUILT: Final = ROOT / ".local" / "programs"
LIBRARY: Final = ROOT / "services" / "roomwire"
WRITTEN: Final = HERE / "written"
REPLACED: Final = HERE / "replaced"
"""The folder that replaces the class where it is on `PYTHONPATH`."""
STOCK: Final = "socketio.AsyncServer"
OURS: Final = "roomwire.Server"
SERVERS: Final = (STOCK, OURS)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment with the packages of one lock file.

    Attributes:
        name: The lock file's name, without its ending.

    """

    name: str

    @property
    def lock(self) -> Path:
        """The lock file."""
        return LOCKS / f"{self.name}.txt"

    def version(self, package: str) -> str:
        """Return the locked version of a package."""
        found = re.search(
            rf"^{re.escape(package)}(?:\[[^\]]*\])?==(\S+)",
            self.lock.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        if found is None:
            raise LookupError(f"{self.lock} does not name {package}")
        return found[1]

    def folder(self) -> Path:
        """Return the environment's folder; build it if it is not there."""
        digest = hashlib.sha256(self.lock.read_bytes() + (LIBRARY / "pyproject.toml").read_bytes())
        folder = BUILT / f"{self.name}-{digest.hexdigest()[:16]}"
        built = folder / "built"
        if not built.exists():
            installed(folder, self.lock, "--no-build-isolation", "--editable", LIBRARY)
            built.touch()
        return folder

    def program(self, name: str) -> str:
        """Return the path of a program of the environment."""
        return str(self.folder() / "bin" / name)


_UV: Final = str(Path(sys.executable).parent / "uv")


def installed(folder: Path, lock: Path, *roomwire: object) -> str:
    """Create an environment with what a lock file names and with Roomwire, whose dependencies are among that; returns its Python."""
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
    python = str(folder / "bin" / "python")
    install = (_UV, "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", str(lock))
    run(*install, "--no-deps", *(str(argument) for argument in roomwire))
    run(_UV, "pip", "check", "--quiet", "--python", python)
    return python


def environ_of(server: str, *folders: Path, **settings: str) -> Mapping[str, str]:
    """Return the environment variables of a program on a server: `STOCK` or `OURS`; it may import from these folders as well."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ROOMWIRE_", "PYTEST_"))
    }
    imported = [str(folder) for folder in ((REPLACED,) if server == OURS else ()) + folders]
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(imported)} | settings


def run(*command: str, folder: Path = ROOT) -> None:
    """Run a step of a build; its output is shown only if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


NICEGUI: Final = Environment(name="nicegui")
REFLEX: Final = Environment(name="reflex")
CHAINLIT: Final = Environment(name="chainlit")
SUITES: Final = Environment(name="suites")
ENVIRONMENTS: Final[Sequence[Environment]] = (NICEGUI, REFLEX, CHAINLIT, SUITES)
