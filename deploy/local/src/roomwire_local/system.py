"""Runs the local system for tests and measurements, as `make up` does, and reads its ports from the banner."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from roomwire_local import plan

HOST: Final = plan.HOST
UP_TIMEOUT_S: Final = 90
DOWN_TIMEOUT_S: Final = 30
_ROW: Final = re.compile(r"^  ([\w-]+) +http://127\.0\.0\.1:(\d+), operations (http://[^\s,]+)", re.MULTILINE)


class LocalSystem:
    """A running system.

    Attributes:
        port: The port of the ingress.
        url: The URL of the ingress.
        process: The supervisor.
        state: The folder with its data.

    """

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", log: Path, root: Path) -> None:
        self.port = port
        self.url = f"http://localhost:{port}"
        self.process = process
        self.state = plan.state_folder(root, port)
        self._log = log

    @property
    def log(self) -> str:
        """The output so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def ports(self) -> Mapping[str, int]:
        """The public ports of the services by name."""
        return {name: int(port) for name, port, _ in _ROW.findall(self.log)}

    @property
    def operations(self) -> Mapping[str, str]:
        """The operations URLs of the services by name."""
        return {name: url for name, _, url in _ROW.findall(self.log)}

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and all its descendants."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def pid_of(self, service: str) -> int:
        """Return the process id of a service."""
        wanted = f"{HOST}:{self.ports[service]}"
        for process in self.processes():
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and f"{HOST}:{connection.laddr.port}" == wanted:
                    return int(process.pid)
        raise LookupError(f"{service} listens nowhere")

    def wait_until_up(self) -> None:
        """Wait until the banner is printed; raises with the output if the process ends before."""
        deadline = time.monotonic() + UP_TIMEOUT_S
        while "Ctrl-C stops it." not in self.log:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the system did not come up:\n{self.log}")
            time.sleep(0.05)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        self.process.send_signal(signum)
        return self.process.wait(DOWN_TIMEOUT_S)


def start_local_system(folder: Path, port: int, *, application: str = "", **environ: str) -> LocalSystem:
    """Start a system; its output goes to a file in the folder.

    Args:
        folder: Contains the output, the application and the system's data.
        port: The port of the ingress.
        application: The application that gateways serve, by `roomwire up`. Default: the chat, by `make up`.
        environ: Additional environment variables.

    """
    log = folder / f"up-{port}.log"
    root = folder if application else Path.cwd()
    command = ["roomwire", "up", application, "--port", str(port)] if application else [__package__, "up"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=root,
            env={**os.environ, "PORT": str(port), **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return LocalSystem(port, process, log, root)


@contextmanager
def local_system(folder: Path, port: int, *, application: str = "", **environ: str) -> Iterator[LocalSystem]:
    """Run a system while the context lasts, then delete its data; the arguments are those of `start_local_system`."""
    system = start_local_system(folder, port, application=application, **environ)
    try:
        system.wait_until_up()
        yield system
    finally:
        if system.process.poll() is None:
            system.stop()
        shutil.rmtree(system.state, ignore_errors=True)


def is_listening(port: int) -> bool:
    """Return whether a process listens on a loopback port."""
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0
