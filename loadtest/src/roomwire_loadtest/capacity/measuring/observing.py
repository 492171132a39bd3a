"""Runs work, and records the resources that each process used for it."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from roomwire_loadtest.capacity.costs.observed import Observation, Weight
from roomwire_loadtest.capacity.measuring import memory
from roomwire_loadtest.capacity.measuring.house import House
from roomwire_loadtest.usage import Usage

_TRIES: Final = 4

Work = Mapping[str, Mapping[str, float]]
"""Units of each kind of work, by process."""


class Disturbed(Exception):
    """A measurement is useless, because the offered messages did not arrive, or arrived too late."""


class Observer:
    """Observes a system, and collects the results.

    Args:
        house: The system.
        tell: Reports progress to the console.

    Attributes:
        observations: The observations.
        weights: The bytes that were sent over the network.

    """

    def __init__(self, house: House, tell: Callable[[str], None]) -> None:
        self._house = house
        self._tell = tell
        self.observations: list[Observation] = []
        self.weights: list[Weight] = []

    def observe_calmly(self, run: str, work: Callable[[], Work], *, is_check: bool) -> None:
        """Repeat a disturbed observation: other work took the machine, and messages went out late and all at once."""
        for _ in range(_TRIES):
            try:
                self.observe(run, work, is_check=is_check)
            except Disturbed as reason:
                self._tell(f"{run}: {reason}")
            else:
                return
        self._tell(f"{run}: left out")

    def observe(self, run: str, work: Callable[[], Work], *, is_check: bool, is_weighed: bool = True) -> None:
        """Run work, and record the resources that each process used for it.

        Args:
            run: The run's description.
            work: Does the work, and returns the units that were done.
            is_check: See `Observation`.
            is_weighed: Whether the network traffic is that of clients of the chat. Default: yes.

        """
        usage, before = Usage(self._house.supervisor), self._house.cpu_s()
        sent_before, began = memory.traffic(self._house.redis), time.monotonic()
        done = work()
        seconds = time.monotonic() - began
        used = {name: spent - before[name] for name, spent in self._house.cpu_s().items()}
        own_share, _, others_share = usage.shares()
        shared = {**done.get("redis", {})}
        if "keeps" in shared and "calls" not in shared:
            # A gateway makes two calls for a message, to keep and to publish it; a busy gateway makes one for several messages.
            shared["calls"] = shared["moments"] = sum(
                2 * work.get("messages", 0.0) * (1 - used[name] / seconds)
                for name, work in done.items()
                if name != "redis"
            )
        done = {**done, "redis": shared}
        for name, spent in used.items():
            self.observations.append(
                Observation(
                    run=run,
                    service=name.partition("-")[0],
                    process=name,
                    seconds=seconds,
                    cpu_s=spent,
                    work={
                        "seconds": seconds,
                        **{what: float(count) for what, count in done.get(name, {}).items()},
                    },
                    others_cpu=others_share,
                    is_check=is_check,
                )
            )
        received, sent = (
            after - first for after, first in zip(memory.traffic(self._house.redis), sent_before, strict=True)
        )
        for what, total in (("redis-in", received), ("redis-out", sent)) if is_weighed else ():
            self.weights.append(
                Weight(
                    run=run,
                    what=what,
                    total_bytes=total,
                    held={"seconds": seconds, **shared},
                    is_check=is_check,
                )
            )
        shares = ", ".join(f"{name} {spent / seconds:.1%}" for name, spent in used.items())
        self._tell(f"{run}: {shares}; generator {own_share:.0%}, others {others_share:.0%}")
