"""A file, such as a mounted Secret, that a running service reads again when it changes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

from roomwire.errors import ConfigurationError
from roomwire.health.dependencies import Dependency
from roomwire.logs import get_logger
from roomwire_auth import audit
from roomwire_auth.audit import Event

REREAD_S: Final = 10.0
"""Minimum time between two checks of a file, in seconds."""

_T = TypeVar("_T")

_log = get_logger(__name__)


class Reread(Generic[_T]):
    """The present content of a file.

    The file is checked when a caller asks, at most every `REREAD_S`. If it cannot be read or has mistakes, that is logged,
    and the last valid content stays in use.

    Args:
        value: The content at the start.
        file: The file. Default: none; the value never changes.
        parse: Makes a value from the text; raises `ConfigurationError`.
        what: What log lines call the file.
        facts: Returns the fields that are recorded of a new value, by name.
        clock: Seconds since 1970.
        dependency: Notes whether the file can be read. Default: only the log says so.

    """

    def __init__(
        self,
        value: _T,
        *,
        file: Path | None,
        parse: Callable[[str], _T],
        what: Literal["signing keys", "clients"],
        facts: Callable[[_T], Mapping[str, Sequence[str]]],
        clock: Callable[[], float],
        dependency: Dependency | None = None,
    ) -> None:
        self._dependency = dependency or Dependency(what.replace(" ", "_"))
        self._value = value
        self._file = file
        self._parse = parse
        self._what = what
        self._facts = facts
        self._clock = clock
        self._read_at = clock()
        self._text: str | None = None

    def current(self) -> _T:
        """Return the present content."""
        now = self._clock()
        # A clock that was set back must not prevent the check.
        if self._file is not None and not 0 <= now - self._read_at < REREAD_S:
            self._read_at = now
            self._read(self._file)
        return self._value

    def _read(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
            if text == self._text:
                self._dependency.works()
                return
            value = self._parse(text)
        except (OSError, UnicodeError, ConfigurationError) as error:
            self._dependency.failed(error)
            _log.error(f"{self._what} not read", file=str(file), error=type(error).__name__)
            return
        self._dependency.works()
        self._text = text
        if value != self._value:
            self._value = value
            audit.record(Event(f"{self._what} read"), **self._facts(value))
