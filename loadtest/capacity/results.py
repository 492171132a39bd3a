"""A round of measurements with what follows from it: kept as JSON, written as Markdown, drawn."""

from pathlib import Path
from typing import Final

import msgspec

from capacity.check import Verdict, check
from capacity.model import Model, fitted
from capacity.observed import Measured
from kept import kept

FOLDER: Final = Path(__file__).resolve().parents[1] / "results"
NAME: Final = "capacity"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What `capacity.json` holds."""

    model: Model
    verdict: Verdict
    measured: Measured

    @classmethod
    def of(cls, measured: Measured) -> "Result":
        """Fit and check."""
        model = fitted(measured.observations, measured.weights, measured.base_bytes)
        return cls(
            model=model, verdict=check(model, measured.observations, measured.weights), measured=measured
        )

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_bytes(kept(self))

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Read it again; raises `OSError` or `msgspec.DecodeError`."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
