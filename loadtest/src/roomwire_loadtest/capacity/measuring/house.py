"""The measured system: the local one as `make up` runs it, and the resources that its processes use."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import redis

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST, LocalSystem, local_system

_REDIS: Final = re.compile(r"^  redis +127\.0\.0\.1:(\d+) ", re.MULTILINE)
_TIMEOUT_S: Final = 10.0
PING_INTERVAL_S: Final = 5.0
"""Shorter than in production, so that the cost of a ping shows in a short time."""
PING_TIMEOUT_S: Final = 20.0


class House:
    """A running system.

    Args:
        system: The running system, with its own Redis.

    Attributes:
        gateways: The public ports of its gateways.
        auth_url: The URL of its auth service.
        redis_url: The URL of its Redis, including the password.
        redis: A client of that Redis.
        supervisor: The parent of all these processes.

    """

    def __init__(self, system: LocalSystem) -> None:
        ports = system.ports
        self.gateways = {name: port for name, port in ports.items() if name.startswith("gateway")}
        self.auth_url = f"http://{HOST}:{ports['auth']}"
        (redis_port,) = _REDIS.findall(system.log)
        password = (system.state / "redis-password").read_text(encoding="utf-8")
        self.redis_url = f"redis://:{password}@{HOST}:{redis_port}/0"
        self.redis = redis.Redis(
            host=HOST, port=int(redis_port), password=password, socket_timeout=_TIMEOUT_S
        )
        self.supervisor = psutil.Process(system.process.pid)
        self._processes = {name: psutil.Process(system.pid_of(name)) for name in ports}
        self._processes["redis"] = psutil.Process(int(self.redis.info("server")["process_id"]))

    def cpu_s(self) -> Mapping[str, float]:
        """Return the CPU seconds, user and system, that each process has used, with all its threads."""
        return {name: _cpu_s(process.pid) for name, process in self._processes.items()}

    def resident_bytes(self, name: str) -> int:
        """Return the resident memory of a process."""
        return int(self._processes[name].memory_info().rss)


@contextmanager
def house(folder: Path, *, gateways: int) -> Iterator[House]:
    """Run a system with this many gateways while the context lasts."""
    settings = {
        "GATEWAYS": str(gateways),
        # All clients have one token.
        "ROOMWIRE_MAX_EVENTS_PER_USER_PER_S": "0",
        "ROOMWIRE_MAX_EVENTS_OF_GUESTS_PER_S": "0",
        "ROOMWIRE_AUTH_MODE": "required",
        "ROOMWIRE_ACCESS_TTL_S": "3600",
        "ROOMWIRE_LOG_LEVEL": "warning",
        "ROOMWIRE_PING_INTERVAL_S": f"{PING_INTERVAL_S:g}",
    }
    with local_system(folder, free_port(), **settings) as system:
        opened = House(system)
        try:
            yield opened
        finally:
            opened.redis.close()


def _cpu_s(pid: int) -> float:
    """Return the CPU time as Linux counts it in nanoseconds; the hundredths of a second in `stat` are too coarse for Redis."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text("ascii").split()[0]) for thread in threads) / 1e9
