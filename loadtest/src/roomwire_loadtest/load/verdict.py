"""Determines what a run shows about the system and what only about its generator, from journal and measurements. Pure."""

from collections.abc import Iterable

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.oracle import SATURATED_CPU, SATURATED_LAG_MS, Findings, generator_load
from roomwire_loadtest.load.chatter import DISMISSED


def unacknowledged(entries: Iterable[Entry]) -> int:
    """Return how many messages were due and never acknowledged: refused, not answered, or not sent without a connection."""
    due, acked = set(), set()
    for entry in entries:
        if entry.kind == "invoked":
            due.add(entry.id)
        elif entry.kind == "acked":
            acked.add(entry.id)
    return len(due - acked)


def refused(entries: Iterable[Entry]) -> int:
    """Return how often the server refused a client that connected."""
    return sum(entry.kind == "refused" for entry in entries)


def dismissed(entries: Iterable[Entry]) -> int:
    """Return how many connected clients the server disconnected, so that they did not reconnect by themselves."""
    return sum(entry.kind == "disconnect" and entry.detail == DISMISSED for entry in entries)


def void_reasons(entries: Iterable[Entry], *, failed_logins: float) -> list[str]:
    """Return why a run is inconclusive, because of its generator alone; empty if it is conclusive.

    Args:
        entries: The journal.
        failed_logins: The number of refused logins: users that could not sign in had nothing to send.

    """
    entries = list(entries)
    reasons = []
    if not failed_logins and not any(entry.kind == "invoked" for entry in entries):
        reasons.append("no message was due: run longer, or with more users")
    cpu, lag_ms = generator_load(entries)
    if cpu > SATURATED_CPU or lag_ms > SATURATED_LAG_MS:
        reasons.append(f"the generator was saturated: {cpu:.0%} of a core, {lag_ms:.0f} ms late")
    return reasons


def silence(findings: Findings) -> list[str]:
    """Return a sentence if the system did nothing at all, which no threshold allows."""
    reasons = []
    if not findings.acknowledged:
        reasons.append("no message was acknowledged")
    if not findings.delivered:
        reasons.append("no message was delivered")
    return reasons
