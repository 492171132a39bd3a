"""The library at both ends of its ranges: `python deploy/release/matrix.py`, or `make matrix`.

For each end there is an environment of its own with the built wheel: `oldest` has what requirements/oldest.txt says, the oldest
release of each package that the metadata allows; `newest` has what requirements/dev.txt says. In each run the tests of what
relies on names of python-socketio, python-engineio, uvicorn and websockets: the differential suite first of all.
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
"""Tests of what relies on other packages' names, by their files' names."""
_UV: Final = Path(sys.executable).with_name("uv")
_PARALLEL: Final = ("-n", "2", "--dist", "loadgroup")
_OF_THEIR_OWN: Final = ("python-socketio", "python-engineio", "uvicorn", "websockets")


def files(patterns: Sequence[str] = RELYING) -> Sequence[Path]:
    """Return the files of tests.

    Raises:
        FileNotFoundError: A pattern is of none: a test that was renamed would be left out without a word.

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
    """Return the interpreter of an environment with the wheel and what it needs at one end of its ranges."""
    _run([_UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    python = folder / "bin" / "python"
    pip = [_UV, "pip", "install", "--quiet", "--python", python]
    if end == "oldest":
        _run([*pip, "--require-hashes", "-r", TOP / "requirements" / "oldest.txt"])
        _run([*pip, "--no-deps", wheel])
    else:
        _run([*pip, "--constraint", TOP / "requirements" / "dev.txt", f"{wheel}[own-tests]"])
    _run([_UV, "pip", "check", "--quiet", "--python", python])
    # The tests take their free ports from it; it needs nothing for that.
    _run([*pip, "--no-deps", TOP / "deploy" / "local"])
    return python


def started(python: Path, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Return the run of the tests in an environment, which writes what it says to a file."""
    # The options of the project's own runs name plugins that are not there.
    pytest = [str(python), "-m", "pytest", "-q", "-ra", "--override-ini=addopts=", "--import-mode=importlib"]
    command = [*pytest, "-p", "no:cacheprovider", *_PARALLEL, *map(str, files()), *arguments]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=TOP, env=_environment(), stdout=output, stderr=subprocess.STDOUT)


def releases(python: Path) -> str:
    """Return what is installed of the packages whose names are relied on."""
    code = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {_OF_THEIR_OWN}), sep=', ')"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main() -> int:
    """Test at the ends that are asked for, all of them at the same time."""
    parser = argparse.ArgumentParser(description="Test the library at both ends of its ranges.")
    parser.add_argument("ends", nargs="*", metavar="END", help="oldest or newest; both by default")
    parser.add_argument(
        "--pytest", action="append", default=[], help="an argument for pytest, as --pytest=-x"
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
    """Return the environment less what would lead to the packages of this one."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def _run(command: Sequence[object]) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=TOP, env=_environment())


if __name__ == "__main__":
    sys.exit(main())
