"""A round of measurements with its model and verdict: kept as JSON, written as Markdown, drawn."""

from pathlib import Path
from typing import Final

import msgspec

from roomwire_loadtest.capacity.costs.check import Verdict, check
from roomwire_loadtest.capacity.costs.model import Model, fitted
from roomwire_loadtest.capacity.costs.observed import Measured
from roomwire_loadtest.kept import kept

NAME: Final = "capacity"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `capacity.json`."""

    model: Model
    verdict: Verdict
    measured: Measured

    @classmethod
    def of(cls, measured: Measured) -> "Result":
        """Fit the model and check it."""
        model = fitted(measured.observations, measured.weights, measured.base_bytes)
        return cls(
            model=model, verdict=check(model, measured.observations, measured.weights), measured=measured
        )

    def save(self, path: Path) -> None:
        """Write the result as JSON."""
        path.write_bytes(kept(self))

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Read a result from JSON; raises `OSError` or `msgspec.DecodeError`."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
