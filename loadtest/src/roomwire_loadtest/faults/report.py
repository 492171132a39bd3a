"""The table of a run: one row for each fault, with its proof, its counts and its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from roomwire_loadtest.faults.oracle import COUNTS

PASS, FAIL, VOID, SKIP, NOT_WRITTEN = "PASS", "FAIL", "VOID", "SKIP", "not written"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one row.

    Attributes:
        id: The row.
        fault: The fault.
        verdict: `PASS`, `FAIL`, `VOID` (inconclusive), `SKIP` (cannot run here) or `not written`.
        counts: The oracle's five counts.
        told: Missing messages whose receivers were told.
        acknowledged: The number of acknowledged messages.
        delivered: The number of delivered messages.
        recovered: Reconnections that were recovered.
        not_recovered: Reconnections that were not.
        back_s: The time from the fault until p99 was normal again.
        cpu: The busiest client process's share of a core.
        proof: The proof that the fault took place.
        reasons: Why the verdict is not PASS.
        notes: Figures.
        took_s: The duration of the row.

    """

    id: str
    fault: str
    verdict: str
    counts: dict[str, int] = field(default_factory=dict)
    told: int = 0
    acknowledged: int = 0
    delivered: int = 0
    recovered: int = 0
    not_recovered: int = 0
    back_s: float = 0.0
    cpu: float = 0.0
    proof: Sequence[str] = ()
    reasons: Sequence[str] = ()
    notes: Sequence[str] = ()
    took_s: float = 0.0


_HEAD = (
    "id",
    "fault",
    "messages",
    "arrived",
    *COUNTS,
    "told",
    "recovered",
    "not",
    "back s",
    "cpu",
    "verdict",
)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the table, and below it the details of each row."""
    rows = [_HEAD, *(_cells(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    for outcome in outcomes:
        lines += _details(outcome)
    return "\n".join(line.rstrip() for line in lines)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    if outcome.verdict in {SKIP, NOT_WRITTEN}:
        return (outcome.id, outcome.fault, *[""] * (len(_HEAD) - 3), outcome.verdict)
    return (
        outcome.id,
        outcome.fault,
        str(outcome.acknowledged),
        str(outcome.delivered),
        *(str(outcome.counts.get(name, "?")) for name in COUNTS),
        str(outcome.told),
        str(outcome.recovered),
        str(outcome.not_recovered),
        f"{outcome.back_s:.2f}",
        f"{outcome.cpu:.0%}",
        outcome.verdict,
    )


def _details(outcome: Outcome) -> list[str]:
    if outcome.verdict == NOT_WRITTEN:
        return []
    lines = ["", f"{outcome.id}: {outcome.verdict} ({outcome.took_s:.0f} s)"]
    shown = [*outcome.proof[:3], *([f"… {len(outcome.proof)} proofs"] if len(outcome.proof) > 3 else [])]  # noqa: PLR2004 - enough to believe it
    lines += [f"  proof: {'; '.join(shown)}"] if shown else []
    lines += [f"  {note}" for note in outcome.notes]
    lines += [f"  ! {reason}" for reason in outcome.reasons]
    return lines
