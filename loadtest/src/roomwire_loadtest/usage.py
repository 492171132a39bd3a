"""CPU and memory of the process under test, of the generator, and of everything else on the machine."""

import time
from typing import Final

import psutil

AT_REST: Final = 0.1
"""The share of a core that other work may use without disturbing a figure."""
_LOOK_S: Final = 0.25


class Usage:
    """CPU used since this object was created, as shares of one core.

    Args:
        server: The process under test; its children are included.

    """

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._began = time.perf_counter()
        self._own_s = time.process_time()
        self._server_s = _tree_cpu_s(server)
        self._machine_s = _machine_cpu_s()

    def shares(self) -> tuple[float, float, float]:
        """Return the shares of the generator, of the server, and of everything else on the machine."""
        elapsed = time.perf_counter() - self._began
        own = (time.process_time() - self._own_s) / elapsed
        server = (_tree_cpu_s(self._server) - self._server_s) / elapsed
        machine = (_machine_cpu_s() - self._machine_s) / elapsed
        return own, server, max(0.0, machine - own - server)


def await_rest(patience_s: float) -> bool:
    """Wait until nothing else runs on this machine; returns whether that happened in time."""
    deadline = time.monotonic() + patience_s
    while True:
        began, before_s = time.monotonic(), _machine_cpu_s()
        time.sleep(_LOOK_S)
        if (_machine_cpu_s() - before_s) / (time.monotonic() - began) < AT_REST:
            return True
        if time.monotonic() >= deadline:
            return False


def resident_bytes(server: psutil.Process) -> int:
    """Return the resident memory of a process and its children."""
    return sum(process.memory_info().rss for process in _tree(server))


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _tree_cpu_s(process: psutil.Process) -> float:
    total = 0.0
    for member in _tree(process):
        times = member.cpu_times()
        total += times.user + times.system
    return total


def _machine_cpu_s() -> float:
    times = psutil.cpu_times()
    # Time that a hypervisor gave to other guests is unavailable here as well.
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
