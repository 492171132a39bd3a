"""Free ports of this machine, which no other process takes before the caller listens on them.

A port that the system chooses (`bind` to port 0) may be given to a connection as soon as it is released. The ports here
are below the range from which systems choose such ports, in blocks. A process holds a block by a UDP socket on the block's
first port for its whole life, so no other process that uses this module gets the same ports. Ports within a block are
given out in turn: a port that is still in use is skipped, and one that was just given out comes last.
"""

import contextlib
import os
import socket

HOST = "127.0.0.1"
FIRST_PORT = 10_000
"""Far enough below 32,768, where Linux's own range begins, for the bus of a Redis Cluster, 10,000 above its port."""
BLOCKS = 80
BLOCK_PORTS = 125


class NoFreePorts(Exception):
    """Raised if every block is held, or if this process's block has too few consecutive free ports."""


class _Block:
    """A block of ports that this process holds."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._first = self._hold()
        # The first port is the one that holds the block.
        self._next = 1

    def row(self, count: int) -> list[int]:
        """Return the next consecutive free ports."""
        for _ in range(BLOCK_PORTS if count < BLOCK_PORTS else 0):
            if self._next + count > BLOCK_PORTS:
                self._next = 1
            ports = [self._first + self._next + number for number in range(count)]
            if all(_is_free(port) for port in ports):
                self._next += count
                return ports
            self._next += 1
        raise NoFreePorts(f"no {count} free ports in a row from {self._first} on")

    def _hold(self) -> int:
        for number in range(BLOCKS):
            first = FIRST_PORT + (self.pid + number) % BLOCKS * BLOCK_PORTS
            held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with contextlib.suppress(OSError):
                held.bind((HOST, first))
                # The socket stays open until the process ends.
                held.detach()
                return first
            held.close()
        raise NoFreePorts(f"all {BLOCKS} blocks of ports are held by processes that run")


_blocks: list[_Block] = []
"""The block of this process, after its first request. A forked child finds its parent's block and replaces it by one of its own."""


def free_ports(count: int) -> list[int]:
    """Return this many consecutive free loopback ports.

    Raises:
        NoFreePorts: Not enough consecutive ports are free.

    """
    if not _blocks or _blocks[-1].pid != os.getpid():
        _blocks[:] = [_Block()]
    return _blocks[-1].row(count)


def free_port() -> int:
    """Return a free loopback port."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True
