"""Fixtures of the tests with foreign clients: their programs, and a notice for each one that could not be built."""

from collections.abc import Sequence

import pytest
from needs import need

from kinds import KINDS, Kind, NoToolchain

_missing: dict[str, str] = {}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name.replace(", ", " "))
def kind(request: pytest.FixtureRequest) -> Kind:
    """A kind of client."""
    wanted: Kind = request.param
    return wanted


@pytest.fixture
def command(kind: Kind) -> Sequence[str]:
    """The command of the client's program; if it cannot be built, the test is skipped, or fails in CI."""
    try:
        return kind.build()
    except NoToolchain as error:
        _missing[kind.name] = str(error)
        need(None, str(error))
        raise


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List prominently what was not tested."""
    for name, why in _missing.items():
        terminalreporter.section(f"NOT TESTED: the client for {name}", sep="!", red=True, bold=True)
        terminalreporter.line(f"needs {why}")
