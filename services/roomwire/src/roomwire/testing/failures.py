"""Collects the exceptions of handlers, which the library only logs, so that a test fails because of them."""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

from roomwire.logs import UNCONFIGURED
from roomwire.testing.errors import HandlerFailed, NothingFailed

_FACTS: Final = ("event_name", "namespace", "sid")


class Failures:
    """The exceptions that the library has logged and that the test has not been told of."""

    def __init__(self) -> None:
        self._found: list[HandlerFailed] = []
        self._expected: list[type[BaseException]] = []

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Collect exceptions that are logged, whatever the configuration of structlog."""
        # In place: loggers may have cached the list.
        chains = (structlog.get_config()["processors"], UNCONFIGURED)
        for processors in chains:
            processors.insert(0, self._look)
        try:
            yield
        finally:
            for processors in chains:
                processors.remove(self._look)

    def note(self, said: str, error: BaseException) -> None:
        """Add an exception that is not logged."""
        self._found.append(HandlerFailed(said, {}, error))

    def check(self) -> None:
        """Raise the first unexpected failure, and remove it.

        Raises:
            HandlerFailed: A handler raised an unexpected exception.

        """
        for failure in self._found:
            if not isinstance(failure.error, tuple(self._expected)):
                self._found.remove(failure)
                raise failure from failure.error

    @contextmanager
    def expected(self, kind: type[BaseException]) -> Iterator[list[BaseException]]:
        """Expect exceptions of this kind; yield a list that contains them at the end.

        Raises:
            NothingFailed: There was none.

        """
        expected: list[BaseException] = []
        self._expected.append(kind)
        try:
            yield expected
            found = [failure for failure in self._found if isinstance(failure.error, kind)]
            expected += [failure.error for failure in found]
            self._found = [failure for failure in self._found if failure not in found]
            if not expected:
                raise NothingFailed(kind)
        finally:
            self._expected.remove(kind)

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """Ignore the exceptions that are logged meanwhile."""
        found = [*self._found]
        try:
            yield
        finally:
            self._found = found

    def _look(self, _: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        told = event.get("exc_info")
        error = told if isinstance(told, BaseException) else sys.exc_info()[1] if told else None
        if error is not None:
            facts = {name: event[name] for name in _FACTS if name in event}
            self._found.append(HandlerFailed(str(event.get("event", "")), facts, error))
            # The test shows the traceback, or expects the exception.
            del event["exc_info"]
            event["error"] = repr(error)
        return event
