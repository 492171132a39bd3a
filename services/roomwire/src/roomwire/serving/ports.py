"""Binds a port at one address, or at all addresses of a machine, both IPv4 and IPv6.

For both families there is a socket each. One socket for both would name IPv4 peers `::ffff:10.0.0.1`, and
everything that compares addresses would need to know. Its neighbours are `roomwire.serving.listener` and the relay's listener.
"""

import contextlib
import errno
import socket
from collections.abc import Mapping, Sequence
from typing import Final, Self

BACKLOG: Final = 2048
"""The number of connections that may wait to be accepted."""

_BOTH: Final[Mapping[str, Sequence[str]]] = {"localhost": ("127.0.0.1", "::1"), "::": ("0.0.0.0", "::")}
_ABSENT: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""The errors of an address family that the system lacks."""
_ATTEMPTS: Final = 16


class ListeningSockets(list[socket.socket]):
    """The listening sockets of one port. As a context manager, it closes them at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close them; idempotent."""
        for each in self:
            each.close()

    @property
    def port(self) -> int:
        """The port of all the sockets."""
        port: int = self[0].getsockname()[1]
        return port


def bind(host: str, port: int) -> ListeningSockets:
    """Listen on a port.

    Args:
        host: An address. `::` stands for every address of the machine and `localhost` for its loopback, each IPv4 and IPv6; a
            family that the machine lacks is left out.
        port: 0 chooses a free port, the same for both families.

    Raises:
        OSError: The port cannot be bound.

    """
    addresses = _BOTH.get(host.lower(), (host,))
    for _ in range(_ATTEMPTS if port == 0 else 1):
        try:
            return _bind_each(addresses, port)
        except OSError as error:
            # A port that is free for one family may be in use for the other.
            if error.errno != errno.EADDRINUSE:
                raise
            taken = error
    raise taken


def _bind_each(addresses: Sequence[str], port: int) -> ListeningSockets:
    sockets = ListeningSockets()
    absent: OSError | None = None
    with contextlib.ExitStack() as undo:
        undo.callback(sockets.close)
        for address in addresses:
            try:
                sockets.append(_bind_one(address, sockets.port if sockets else port))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
        if not sockets and absent is not None:
            raise absent
        undo.pop_all()
    return sockets


def _bind_one(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Python creates an IPv6 socket that accepts only IPv6.
    return socket.create_server((address, port), family=family, backlog=BACKLOG)
