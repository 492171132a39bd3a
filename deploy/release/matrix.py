"""Tests the library at both ends of its version ranges: `python deploy/release/matrix.py`, or `make matrix`.

Each end has its own environment with the built wheel: `oldest` follows requirements/oldest.txt, the oldest release
of each package that the metadata allows; `newest` follows requirements/dev.txt. The tests that run in each are those that
rely on names of python-socketio, python-engineio, uvicorn and websockets, above all the differential suite.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[2]
LIBRARY: Final = TOP / "services" / "roomwire"
ENDS: Final = ("oldest", "newest")
RELYING: Final = (
    "test_differential*.py",
    "test_differences.py",
    "test_packages.py",
    "test_wire.py",
    "test_imports.py",
    "test_server.py",
    "test_http.py",
    "test_registry.py",
    "test_codec*.py",
    "test_asgi_socket.py",
    "test_fast_socket.py",
    "test_reader.py",
    "test_engineio.py",
    "test_socketio.py",
)
"""Tests of code that relies on other packages' names, by their file names."""
_UV: Final = Path(sys.executable).with_name("uv")
_PARALLEL: Final = ("-n", "2", "--dist", "loadgroup")
_OF_THEIR_OWN: Final = ("python-socketio", "python-engineio", "uvicorn", "websockets")


def files(patterns: Sequence[str] = RELYING) -> Sequence[Path]:
    """Return the files of the tests.

    Raises:
        FileNotFoundError: A pattern matches no file; without this check a renamed test would be left out silently.

    """
    found: list[Path] = []
    for pattern in patterns:
        of_pattern = sorted((LIBRARY / "tests").rglob(pattern))
        if not of_pattern:
            raise FileNotFoundError(
                f"no test is called {pattern}: name it in {Path(__file__).name} by its new name"
            )
        found += of_pattern
    return found


def build(folder: Path) -> Path:
    """Return a wheel of the library."""
    shutil.rmtree(folder, ignore_errors=True)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    _run([*wheel, "--wheel-dir", folder, LIBRARY])
    (built,) = folder.glob("roomwire-*.whl")
    return built


def install(end: str, wheel: Path, folder: Path) -> Path:
    """Return the interpreter of an environment with the wheel and its dependencies at one end of their ranges."""
    _run([_UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    python = folder / "bin" / "python"
    pip = [_UV, "pip", "install", "--quiet", "--python", python]
    if end == "oldest":
        _run([*pip, "--require-hashes", "-r", TOP / "requirements" / "oldest.txt"])
        _run([*pip, "--no-deps", wheel])
    else:
        _run([*pip, "--constraint", TOP / "requirements" / "dev.txt", f"{wheel}[own-tests]"])
    _run([_UV, "pip", "check", "--quiet", "--python", python])
    # The tests take their free ports from this package, which needs no dependencies for that.
    _run([*pip, "--no-deps", TOP / "deploy" / "local"])
    return python


def started(python: Path, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the tests in an environment, with their output in a file."""
    # The project's own options name plugins that are missing here.
    pytest = [str(python), "-m", "pytest", "-q", "-ra", "--override-ini=addopts=", "--import-mode=importlib"]
    command = [*pytest, "-p", "no:cacheprovider", *_PARALLEL, *map(str, files()), *arguments]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=TOP, env=_environment(), stdout=output, stderr=subprocess.STDOUT)


def releases(python: Path) -> str:
    """Return the installed versions of the packages whose names the library relies on."""
    code = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {_OF_THEIR_OWN}), sep=', ')"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main() -> int:
    """Test at the given ends, all at the same time."""
    parser = argparse.ArgumentParser(description="Test the library at both ends of its ranges.")
    parser.add_argument("ends", nargs="*", metavar="END", help="oldest or newest; both by default")
    parser.add_argument(
        "--pytest", action="append", default=[], help="an argument for pytest, such as --pytest=-x"
    )
    asked = parser.parse_args()
    if unknown := set(asked.ends) - set(ENDS):
        parser.error(f"there is no end {', '.join(sorted(unknown))}")
    folder = TOP / ".local" / "matrix"
    wheel = build(folder / "dist")
    runs = {}
    for end in asked.ends or ENDS:
        python = install(end, wheel, folder / end)
        print(f"{end}: {releases(python)}", flush=True)
        runs[end] = started(python, asked.pytest, folder / f"{end}.log")
    codes = {end: run.wait() for end, run in runs.items()}
    for end, code in codes.items():
        text = (folder / f"{end}.log").read_text()
        print(f"== {end}: {'passed' if code == 0 else f'failed, exit {code}'}")
        print(text if code else "\n".join(text.splitlines()[-6:]))
    return max(codes.values())


def _environment() -> dict[str, str]:
    """Return the environment without the variables that lead to this environment's packages."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def _run(command: Sequence[object]) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=TOP, env=_environment())


if __name__ == "__main__":
    sys.exit(main())
