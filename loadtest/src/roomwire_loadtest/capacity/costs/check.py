"""Checks a model against observations that it was not fitted on. Pure."""

import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

from roomwire_loadtest.capacity.costs.model import Model
from roomwire_loadtest.capacity.costs.observed import Observation, Weight

MOST_TYPICAL: Final = 0.2
"""The error that at most half of the checks may exceed."""
MOST: Final = 0.5
"""The error that no check may exceed."""
LEAST_BUSY: Final = 0.1
"""A process that is less busy than this does hardly any work, and most of its CPU has other causes."""
_NETWORK: Final = ("redis-in", "redis-out")
_LEAST_NETWORK_BYTES: Final = 300_000.0
"""The same for the network: an idle gateway also sends bytes to Redis."""


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction and the measurement.

    Attributes:
        run: The run's description.
        service: The service that used the CPU, or the kind of bytes.
        measured: Measured share of a core, or bytes.
        predicted: The model's prediction of it.

    """

    run: str
    service: str
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """The error of the prediction, as a share of the measurement."""
        return self.predicted / self.measured - 1


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the checks."""

    errors: list[Error]
    broken: list[str]
    """A sentence for each criterion that was not met; empty if the model holds."""


def check(model: Model, observations: Sequence[Observation], weights: Sequence[Weight]) -> Verdict:
    """Compare a model with the observations that are for checks."""
    errors = [*_cpu_errors(model, observations), *_byte_errors(model, weights)]
    broken = []
    for service in sorted({one.service for one in errors}):
        off = [abs(one.error) for one in errors if one.service == service]
        if (typical := statistics.median(off)) > MOST_TYPICAL:
            broken.append(f"{service}: half of the predictions are off by more than {typical:.0%}")
        if (worst := max(off)) > MOST:
            broken.append(f"{service}: a prediction is off by {worst:.0%}")
    if not errors:
        broken.append("there is nothing to check the model against")
    return Verdict(errors=errors, broken=broken)


def _cpu_errors(model: Model, observations: Sequence[Observation]) -> list[Error]:
    errors = []
    for one in observations:
        busy = one.cpu_s / one.seconds
        if one.is_check and busy >= LEAST_BUSY:
            per_s = {name: units / one.seconds for name, units in one.work.items()}
            errors.append(
                Error(
                    run=one.run, service=one.service, measured=busy, predicted=model.busy(one.service, per_s)
                )
            )
    return errors


def _byte_errors(model: Model, weights: Sequence[Weight]) -> list[Error]:
    return [
        Error(
            run=one.run,
            service=f"{one.what} bytes",
            measured=one.total_bytes,
            predicted=model.bytes_of(one.what, one.held),
        )
        for one in weights
        if one.is_check and one.total_bytes >= (_LEAST_NETWORK_BYTES if one.what in _NETWORK else 1)
    ]
