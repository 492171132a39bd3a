"""What happens to a deployment of several logs."""

from typing import Final, NamedTuple

from model.rules import DROP, EMPTY, FAILOVER, GOODBYE, KILL, PAUSE, RESTART, SPLIT, STALL, UNPLUG

KICK: Final = "a client is told something and sent away from one namespace"
KICK_USER: Final = "a user is sent away from all logs"
ANOTHER_NUMBER: Final = "a gateway starts with another number of logs"
LOG_FAULTS: Final = (RESTART, EMPTY, FAILOVER, SPLIT, STALL, UNPLUG)
SHARED_FAULTS: Final = (DROP, KILL, PAUSE, GOODBYE, KICK, KICK_USER, ANOTHER_NUMBER)
FAULTS: Final = (*LOG_FAULTS, *SHARED_FAULTS)


class Mix(NamedTuple):
    """What a schedule does not leave to its seed: which faults there are, in which logs, and how often. None is left."""

    faults: tuple[str, ...] | None = None
    failing: tuple[int, ...] | None = None
    fault_rate: float | None = None
    steps: int | None = None


UNMIXED: Final = Mix()
