"""The process in which `roomwire dev` runs an application: `python -m roomwire.app.dev`.

It serves on ports that its parent has opened, reports the application's state to the parent, and ends with the parent.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from traceback import format_exception

from roomwire.app.dev.description import describe
from roomwire.app.dev.reports import Failed, Report, Serving, encode
from roomwire.app.loading import load
from roomwire.app.node import Node
from roomwire.app.settings import GatewaySettings
from roomwire.app.tracebacks import own_traceback
from roomwire.errors import ApplicationError, ConfigurationError, NodeNameTaken
from roomwire.serving import process
from roomwire.serving.listener import Ports
from roomwire.serving.ports import ListeningSockets


def arguments(application: str, parent: int, ports: Ports) -> Sequence[str]:
    """Return the command line of such a process.

    Args:
        application: `module:attribute`.
        parent: The descriptor of a socket whose other end the parent has.
        ports: The ports that it serves.

    """
    numbers = [",".join(str(each.fileno()) for each in port) for port in ports]
    return [sys.executable, "-m", __package__, application, str(parent), *numbers]


def main(argv: Sequence[str]) -> int:
    """Serve an application, and return the exit status."""
    application, parent, *numbers = argv
    told = _inherited(parent)
    threading.Thread(target=_end_with, args=(told,), daemon=True).start()
    try:
        _serve(application, Ports(*map(_sockets, numbers)), told)
    except (ConfigurationError, NodeNameTaken) as error:
        # The terminal comes first, so that it already has what the console shows.
        status = process.refused("roomwire", error)
        _tell(told, Failed(str(error), error.traceback if isinstance(error, ApplicationError) else ""))
        return status
    except Exception as error:
        traceback = own_traceback(error) or "".join(format_exception(error))
        _tell(told, Failed(f"{type(error).__name__}: {error}", traceback))
        raise
    return 0


def _serve(application: str, ports: Ports, told: socket.socket) -> None:
    settings = GatewaySettings.load()
    settings.configure_logs()
    # Python compares the times of compiled files in whole seconds: after two saves within one second, the first would run again.
    sys.dont_write_bytecode = True
    app = load(application)
    node = Node(app, settings)
    process.run(
        app.name,
        settings,
        lambda _: node,
        ports=ports,
        on_ready=lambda: _tell(told, Serving(describe(app, node.server))),
    )


def _sockets(numbers: str) -> ListeningSockets:
    return ListeningSockets(map(_inherited, numbers.split(",")))


def _inherited(number: str) -> socket.socket:
    """Return a socket of the parent, which the application's own processes do not inherit."""
    inherited = socket.socket(fileno=int(number))
    inherited.set_inheritable(False)
    return inherited


def _tell(told: socket.socket, report: Report) -> None:
    try:
        told.sendall(encode(report))
    except OSError:
        # The parent has ended, and this process ends with it.
        return


def _end_with(parent: socket.socket) -> None:
    """Stop this process when its parent has ended, for whatever reason."""
    while parent.recv(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
