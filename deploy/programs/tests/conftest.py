"""Fixtures of the tests with programs: the rows of the table, which the end of a whole run writes, and what was not run."""

from collections import Counter

import pytest
from outcomes import Row, write

_rows: list[Row] = []


@pytest.fixture
def note():
    """Note a row of the table; the test fails if ours fails where another server works."""

    def note(row: Row) -> None:
        _rows.append(row)
        if row.outcomes:
            assert {} == row.ours_alone_fails(), f"{row.program} on ours alone fails"

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the rows, list prominently what was not run, and write the table after a run of all programs."""
    for row in _rows:
        terminalreporter.line(" | ".join(row.cells()))
        if missing := row.not_run or row.left_out:
            terminalreporter.section(f"NOT RUN: {row.program}, {row.runs}", sep="!", red=True, bold=True)
            terminalreporter.line(missing)
    if Counter(row.program for row in _rows) == Counter(PROGRAMS):
        write(sorted(_rows, key=lambda row: PROGRAMS.index(row.program)))


PROGRAMS = (
    *("NiceGUI", "NiceGUI"),
    *("Reflex", "Reflex"),
    *("Chainlit", "Chainlit"),
    "Open WebUI",
    *("A worker's stream", "A worker's stream"),
    "pydantic-socketio",
    "zndraw-socketio",
    "python-socketio",
    "socket.io-client",
)
"""The programs of the rows, in order, one for each row; a run without one of them leaves the table as it was."""
