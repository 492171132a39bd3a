"""Binds a port at one address, or at all addresses of a machine, of IPv4 and IPv6.

Where both are meant there is a socket for each. One socket for both would name IPv4 peers `::ffff:10.0.0.1`, and
everything that compares addresses would have to know that. Its neighbours are `roomwire.serving.listener` and the relay's listener.
"""

import contextlib
import errno
import socket
from collections.abc import Mapping, Sequence
from typing import Final, Self

BACKLOG: Final = 2048
"""How many connections may wait to be accepted."""

_BOTH: Final[Mapping[str, Sequence[str]]] = {"localhost": ("127.0.0.1", "::1"), "::": ("0.0.0.0", "::")}
_ABSENT: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""What the system says of a family that it does not have."""
_ATTEMPTS: Final = 16


class ListeningSockets(list[socket.socket]):
    """The listening sockets of one port. As a context, it closes them at the end."""

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
        """Their port, which they share."""
        port: int = self[0].getsockname()[1]
        return port


def bind(host: str, port: int) -> ListeningSockets:
    """Listen on a port.

    Args:
        host: An address. `::` is every address of the machine and `localhost` its loopback, each of IPv4 and IPv6; a family
            that the machine does not have is left out.
        port: 0: one that is free, the same for both.

    Raises:
        OSError: The port cannot be bound.

    """
    addresses = _BOTH.get(host.lower(), (host,))
    for _ in range(_ATTEMPTS if port == 0 else 1):
        try:
            return _bind_each(addresses, port)
        except OSError as error:
            # What is free for one family may be taken for the other.
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
    # Python makes an IPv6 socket that takes IPv6 alone.
    return socket.create_server((address, port), family=family, backlog=BACKLOG)
