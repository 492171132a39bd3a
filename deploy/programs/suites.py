"""Test suites of other projects: where they come from, and how they are run on a server."""

import re
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outcomes import Outcome
from programs import CHAINLIT, NICEGUI, REFLEX, SUITES, WRITTEN, Environment, environ_of

_PYTHON: Final = sys.executable
_TIME_LIMIT_S: Final = 600


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite of tests.

    Attributes:
        package: The package that it tests.
        environment: Where that is installed.
        tests: The tests that are run, below the suite's folder.
        runs: What that is, for the table.
        plugins: Plugins of pytest, from `written`.
        options: Options of pytest.

    """

    package: str
    environment: Environment = SUITES
    tests: tuple[str, ...] = ("tests",)
    runs: str = "its own suite"
    plugins: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The locked version."""
        return self.environment.version(self.package)

    def run(self, folder: Path, server: str, *more_plugins: str) -> Outcome:
        """Run the suite in its folder, on a server."""
        report = folder / f"report-{server}.xml"
        plugins = self.plugins + more_plugins
        pytest = [
            self.environment.program("python"),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:roomwire",
            # The class is replaced before pytest has begun.
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            f"--junitxml={report}",
        ]
        done = subprocess.run(
            [*pytest, *self.options, *(word for plugin in plugins for word in ("-p", plugin)), *self.tests],
            cwd=folder,
            env=environ_of(server, WRITTEN) if plugins else environ_of(server),
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
        if not report.exists():
            return Outcome(failed={"starts": (done.stdout + done.stderr).strip()[-500:]})
        return outcome_of(report.read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Sdist(Suite):
    """A suite that a package's sdist carries."""

    def unpack(self, folder: Path) -> Path:
        """Download the sdist, whose hash is locked, and unpack it; returns the folder with the suite."""
        locked = folder / "locked.txt"
        locked.write_text(_block_of(self.package, SUITES.lock.read_text(encoding="utf-8")), encoding="utf-8")
        pip = [
            "-m",
            "pip",
            "--python",
            SUITES.program("python"),
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ]
        only_source = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
        subprocess.run(
            [_PYTHON, *pip, *only_source, "-r", str(locked), "-d", str(folder)],
            check=True,
            timeout=_TIME_LIMIT_S,
        )
        [sdist] = folder.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        return folder / sdist.name.removesuffix(".tar.gz")


@dataclass(frozen=True, kw_only=True)
class Checkout(Suite):
    """A suite that no registry carries: it comes from a checkout of its project.

    Attributes:
        program: The project's name in the table.
        project: The checkout's folder, below the one that the caller names.
        inside: The folder in the checkout that has the tests and the configuration of pytest.
        left_out: What of the suite cannot run here, and why.
        browser: The fixture of the tests that drive a browser by `chromedriver`; empty if there are none.

    """

    program: str
    project: str
    inside: str = "."
    left_out: str = ""
    browser: str = ""

    def lay_out(self, suites: Path, folder: Path) -> Path | None:
        """Copy the tests out of the checkout, whose own package would hide the installed one; None if there is no checkout."""
        checkout = suites / self.project / self.inside
        if not (checkout / "tests").is_dir():
            return None
        shutil.copytree(checkout / "tests", folder / "tests", symlinks=True)
        shutil.copy(checkout / "pyproject.toml", folder)
        return folder


def outcome_of(report: str) -> Outcome:
    """Return what a report in the format of JUnit says; tests that were skipped are in neither list."""
    outcome = Outcome()
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - a report of a process of ours
        name = f"{case.get('classname', '').rpartition('.')[2]}: {case.get('name')}"
        bad = [found for kind in ("failure", "error") if (found := case.find(kind)) is not None]
        if bad:
            outcome.failed[name] = (bad[0].get("message") or "failed").splitlines()[0]
        elif case.find("skipped") is None:
            outcome.worked.append(name)
    return outcome


def _block_of(package: str, lock: str) -> str:
    """Return the lines of a package in a lock file: its version and its hashes."""
    found = re.search(rf"^{re.escape(package)}\b[^\n]*\n(?:[ ]+--hash[^\n]*\n)+", lock, re.MULTILINE)
    if found is None:
        raise LookupError(f"{package} is not locked")
    return re.sub(r"\[[^\]]*\]", "", found[0])


SDISTS: Final = (
    Sdist(package="pydantic-socketio"),
    Sdist(package="zndraw-socketio"),
    Sdist(
        package="python-socketio",
        tests=("tests/async/test_admin.py",),
        runs="those of its tests that start an asyncio server",
        plugins=("uvicorn_h11",),
    ),
)
CHECKOUTS: Final = (
    Checkout(
        program="NiceGUI",
        package="nicegui",
        environment=NICEGUI,
        project="nicegui",
        tests=tuple(
            f"tests/test_{name}.py"
            for name in (
                "user_simulation",
                "lifecycle",
                "reconnect",
                "socketio_too_long",
                "outbox",
            )
        ),
        runs="its own suite: clients, events, reconnection, simulated users",
        browser="screen",
    ),
    Checkout(
        program="Reflex",
        package="reflex",
        environment=REFLEX,
        project="reflex",
        tests=("tests/units/test_app.py",),
        runs="its own suite: the application and its event namespace",
        options=("--asyncio-mode=auto",),
        left_out="its integration tests (AppHarness): they build pages by programs that no registry of Python carries",
    ),
    Checkout(
        program="Chainlit",
        package="chainlit",
        environment=CHAINLIT,
        project="chainlit",
        inside="backend",
        tests=tuple(
            f"tests/test_{name}.py" for name in ("socket", "emitter", "session", "server", "context")
        ),
        runs="its own suite: sockets, sessions, emitter, server",
        options=("--asyncio-mode=auto",),
        left_out="its end-to-end tests: Cypress, which drives them, is a program that npm's registry does not carry",
    ),
)
