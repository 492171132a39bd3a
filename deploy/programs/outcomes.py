"""What programs did on python-socketio and on Roomwire, and the table of it in `docs/drop-in.md`."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from programs import OURS, ROOT, SERVERS

PAGE: Final = ROOT / "docs" / "drop-in.md"
_MARKED: Final = re.compile(
    r"(<!-- programs: written by make programs -->\n).*?(<!-- end of programs -->)", re.DOTALL
)
_LONG: Final = 200
"""The length to which the reason of a failure is cut."""


@dataclass
class Outcome:
    """What a program did on one server.

    Attributes:
        worked: The names of what worked, in order.
        failed: What did not: name → reason.
        shown: What the table shows instead of the number of steps; empty for that number.

    """

    worked: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    shown: str = ""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note whether a step works; a step that fails does not prevent those after it."""
        try:
            yield
        except Exception as error:
            self.failed[name] = (str(error).strip() or type(error).__name__).splitlines()[0][:_LONG]
        else:
            self.worked.append(name)

    def cell(self) -> str:
        """Return the outcome as a cell of the table."""
        if "starts" in self.failed:
            return "does not start"
        if self.shown:
            return self.shown
        # Where steps are counted, that it starts is one of them.
        return f"{len(self.worked)} of {len(self.worked) + len(self.failed)}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A program and what it did.

    Attributes:
        program: Its name.
        version: Its version.
        runs: What was run of it.
        outcomes: What it did on each server; empty if it was not run.
        not_run: Why it was not run.
        left_out: What of it was not run, and why; empty for nothing.

    """

    program: str
    version: str
    runs: str
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    not_run: str = ""
    left_out: str = ""

    def ours_alone_fails(self) -> Mapping[str, str]:
        """Return what works on another server and fails on ours, with our reasons."""
        ours = self.outcomes[OURS].failed
        worked = {
            name for server, outcome in self.outcomes.items() if server != OURS for name in outcome.worked
        }
        if "starts" in ours and worked:
            return {"starts": ours["starts"]}
        return {name: why for name, why in ours.items() if name in worked}

    def cells(self) -> Sequence[str]:
        """Return the row's cells."""
        if self.not_run:
            return [self.program, self.version, self.runs, *[f"not run: {self.not_run}"] * len(SERVERS)]
        return [self.program, self.version, self.runs, *(self.outcomes[server].cell() for server in SERVERS)]


def table(rows: Sequence[Row]) -> str:
    """Return the table of the programs, and below it what fails, with the reasons."""
    head = ["program", "version", "what ran", *(f"`{server}`" for server in SERVERS)]
    lines = [
        f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *(row.cells() for row in rows))
    ]
    failures = [
        f"- {row.program}, on `{server}`: {name}"
        for row in rows
        for server, outcome in row.outcomes.items()
        for name in outcome.failed
    ]
    left_out = [f"- {row.program}: {row.left_out}" for row in rows if row.left_out]
    lines += ["", "What was left out:", "", *left_out] if left_out else []
    return "\n".join([*lines, *(["", "What failed:", "", *failures] if failures else [])]) + "\n"


def write(rows: Sequence[Row], page: Path = PAGE) -> None:
    """Write the table between its marks in the page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(
        _MARKED.sub(lambda found: f"{found[1]}\n{table(rows)}\n{found[2]}", text), encoding="utf-8"
    )
