"""Samples of a running local system: its processes, the gateways' metrics and its Redis."""

import re
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import psutil
import redis

from roomwire_loadtest.soak.trend import Allowance, Sample
from roomwire_local.system import HOST, LocalSystem

ALLOWED: Final[Mapping[str, Allowance]] = {
    "memory_bytes": Allowance(share=0.05, least=4 * 2**20),
    "descriptors": Allowance(share=0.05, least=10),
    "tasks": Allowance(share=0.1, least=10),
    "rooms": Allowance(share=0.1, least=2),
    "keys": Allowance(share=0.05, least=20),
    "used_bytes": Allowance(share=0.1, least=2 * 2**20),
}
"""The series, and how much each may grow during a run."""
_REDIS: Final = re.compile(r"^  redis +127\.0\.0\.1:(\d+) ", re.MULTILINE)
_GAUGE: Final = re.compile(r"^roomwire_(tasks|rooms) (\S+)$", re.MULTILINE)
_TIMEOUT_S: Final = 10.0


class Sampler:
    """Collects series, named `<process>.<series>`.

    Args:
        system: The running system, with its own Redis.

    """

    def __init__(self, system: LocalSystem) -> None:
        self._operations = dict(system.operations)
        self._processes = {name: psutil.Process(system.pid_of(name)) for name in system.ports}
        (port,) = _REDIS.findall(system.log)
        password = (system.state / "redis-password").read_text(encoding="utf-8")
        self._redis = redis.Redis(host=HOST, port=int(port), password=password, socket_timeout=_TIMEOUT_S)
        self._began = time.monotonic()
        self.series: dict[str, list[Sample]] = defaultdict(list)

    def look(self) -> None:
        """Take one sample of everything; raises the system's own error if a part of it is gone."""
        at_s = time.monotonic() - self._began
        for name, process in self._processes.items():
            self._add(at_s, f"{name}.memory_bytes", process.memory_info().rss)
            self._add(at_s, f"{name}.descriptors", process.num_fds())
            if name.startswith("gateway"):
                for what, value in _GAUGE.findall(self._metrics(name)):
                    self._add(at_s, f"{name}.{what}", float(value))
        self._add(at_s, "redis.keys", self._redis.dbsize())
        self._add(at_s, "redis.used_bytes", self._redis.info("memory")["used_memory"])

    def close(self) -> None:
        """Close the connection to Redis; idempotent."""
        self._redis.close()

    def _metrics(self, name: str) -> str:
        with urllib.request.urlopen(f"{self._operations[name]}/metrics", timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own
            text: str = answer.read().decode()
            return text

    def _add(self, at_s: float, name: str, value: float) -> None:
        self.series[name].append((at_s, float(value)))
