"""Free ports of this machine that nothing else takes between the asking and the listening.

A port that the system names (`bind` to port 0) may be given to a connection as soon as it is let go. These stand below the
range that systems take such ports from, in blocks. A process holds a block by a UDP socket on the block's first port, for as
long as it lives, so that no other process that asks here is given the same ports. Within a block the ports go round: one that
is still in use is left out, and one that was just given out comes last.
"""

import contextlib
import os
import socket

HOST = "127.0.0.1"
FIRST_PORT = 10_000
"""Far enough below 32,768, where Linux begins to name ports, for a Redis Cluster's bus: 10,000 above its port."""
BLOCKS = 80
BLOCK_PORTS = 125


class NoFreePorts(Exception):
    """Raised if every block is held, or if the block of this process has no such row of free ports."""


class _Block:
    """A block of ports that this process holds."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._first = self._hold()
        # The first port is the one that holds the block.
        self._next = 1

    def row(self, count: int) -> list[int]:
        """Return the next free ports in a row."""
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
                # It is open until the process ends: nothing closes it.
                held.detach()
                return first
            held.close()
        raise NoFreePorts(f"all {BLOCKS} blocks of ports are held by processes that run")


_blocks: list[_Block] = []
"""The block of this process, once it has asked; a child that was forked finds its parent's, and takes one of its own."""


def free_ports(count: int) -> list[int]:
    """Return so many free loopback ports in a row.

    Raises:
        NoFreePorts: There is no such row.

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
