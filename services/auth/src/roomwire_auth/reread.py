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
"""How often a file is looked at, at most, in seconds."""

_T = TypeVar("_T")

_log = get_logger(__name__)


class Reread(Generic[_T]):
    """What is in a file now.

    The file is read again when somebody asks, at most every `REREAD_S`. One that cannot be read, or has mistakes, is a
    line in the log, and what was in it last goes on being used.

    Args:
        value: What is in it at the start.
        file: The file. Default: none, the value is used for good.
        parse: Makes a value of its text; raises `ConfigurationError`.
        what: What log lines call it.
        facts: Says of a new value what is recorded of it, by name.
        clock: Seconds since 1970.
        dependency: Where it is noted whether it can be read. Default: nowhere but in the log.

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
        """Return what is in the file."""
        now = self._clock()
        # A clock that was set back must not keep the file from being read.
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
