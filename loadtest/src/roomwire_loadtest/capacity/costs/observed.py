"""What a measurement saw: work that was done, and the CPU or the bytes it took. Kept as JSON."""

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One process over one stretch of time.

    Attributes:
        run: What was done, in words.
        service: `gateway`, `redis` or `auth`.
        process: Which of them.
        seconds: How long it was watched.
        cpu_s: The CPU that it used meanwhile, user and system.
        work: How many units of each kind of work it did meanwhile; `seconds` is one of them.
        others_cpu: What everything else on the machine used of a core meanwhile, the generator aside.
        is_check: Whether the model is checked against it; it is not fitted on it then.

    """

    run: str
    service: str
    process: str
    seconds: float
    cpu_s: float
    work: dict[str, float]
    others_cpu: float = 0.0
    is_check: bool = False


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """What something holds in memory, or what of it went over the network.

    Attributes:
        run: What was done, in words.
        what: Whose bytes, as in `model.WEIGHTS`.
        total_bytes: How many.
        held: How many units of each kind they belong to.
        is_check: See `Observation`.

    """

    run: str
    what: str
    total_bytes: float
    held: dict[str, float]
    is_check: bool = False


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A whole round of measurements."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    observations: list[Observation]
    weights: list[Weight]
    base_bytes: dict[str, float]
    """By service: what a process held before anybody came."""
