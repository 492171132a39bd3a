"""What a run says of the system, and what only of its generator. Pure: it reads the journal and what was measured."""

from collections.abc import Iterable

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.oracle import SATURATED_CPU, SATURATED_LAG_MS, Findings, generator_load
from roomwire_loadtest.load.chatter import DISMISSED


def unacknowledged(entries: Iterable[Entry]) -> int:
    """Return how many messages were due and never acknowledged: refused, never answered, or never sent for want of a way."""
    due, acked = set(), set()
    for entry in entries:
        if entry.kind == "invoked":
            due.add(entry.id)
        elif entry.kind == "acked":
            acked.add(entry.id)
    return len(due - acked)


def refused(entries: Iterable[Entry]) -> int:
    """Return how often the server answered a client that came with a refusal."""
    return sum(entry.kind == "refused" for entry in entries)


def dismissed(entries: Iterable[Entry]) -> int:
    """Return how many connected clients the server sent away, so that they did not come back by themselves."""
    return sum(entry.kind == "disconnect" and entry.detail == DISMISSED for entry in entries)


def void_reasons(entries: Iterable[Entry], *, failed_logins: float) -> list[str]:
    """Say why a run shows nothing, for which the generator alone can be the reason; empty if it shows something.

    Args:
        entries: The journal.
        failed_logins: How many logins the system refused: who could not come in had nothing to say.

    """
    entries = list(entries)
    reasons = []
    if not failed_logins and not any(entry.kind == "invoked" for entry in entries):
        reasons.append("nobody had anything to say: run longer, or with more users")
    cpu, lag_ms = generator_load(entries)
    if cpu > SATURATED_CPU or lag_ms > SATURATED_LAG_MS:
        reasons.append(f"the generator was saturated: {cpu:.0%} of a core, {lag_ms:.0f} ms late")
    return reasons


def silence(findings: Findings) -> list[str]:
    """Say that the system did nothing at all, which no threshold allows."""
    reasons = []
    if not findings.acknowledged:
        reasons.append("no message was acknowledged")
    if not findings.delivered:
        reasons.append("no message was delivered")
    return reasons
