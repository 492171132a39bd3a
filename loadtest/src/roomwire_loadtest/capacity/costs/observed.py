"""Measurements: the work that was done, and the CPU or the bytes that it took. Kept as JSON."""

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One process over a period of time.

    Attributes:
        run: The run's description.
        service: `gateway`, `redis` or `auth`.
        process: The process's name.
        seconds: The length of the period.
        cpu_s: CPU that the process used, user and system.
        work: Units of each kind of work that it did; `seconds` is one of them.
        others_cpu: Share of a core that everything else on the machine used, except the generator.
        is_check: Whether the model is checked against this observation instead of fitted on it.

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
    """The memory that something takes, or the bytes that were sent over the network.

    Attributes:
        run: The run's description.
        what: The kind of bytes, as in `model.WEIGHTS`.
        total_bytes: The number of bytes.
        held: Units of each kind that the bytes consist of.
        is_check: See `Observation`.

    """

    run: str
    what: str
    total_bytes: float
    held: dict[str, float]
    is_check: bool = False


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A complete round of measurements."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    observations: list[Observation]
    weights: list[Weight]
    base_bytes: dict[str, float]
    """Memory of a process without clients, by service."""
