"""Decides from a journal alone whether messages were lost, doubled, reordered, invented or silently missing.

Pure: entries in, findings out; it knows no process and no clock. A receiver is *whole* in a room within a span (see
`spans`); a message must arrive in the span if it was invoked after the span began and acknowledged before it ended. A
message whose publisher never got an answer may arrive or not. A missing message counts as

- **lost** if the receiver stayed whole until the end of the journal;
- **hole** (silent) if a later message of the room arrived in the same span: the client passed the gap without notice;
- **told** otherwise: the client learned from `recovered` false, or from being closed, that something may be missing.

When the log has lost entries, it has lost message ids as well, so a repeated message is appended again, in
another epoch. A receiver that was told in between does not count it as doubled.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.order import Place, disorder_between, disorder_by_place, first_of_each
from roomwire_loadtest.faults.spans import Message, Receiver, Span, Story, tell

COUNTS: Final = ("lost", "doubled", "reordered", "phantom", "hole")
"""The counts that must be zero, in the order of the table."""
_MAX_EVIDENCE: Final = 5
IN_FLIGHT_MS: Final = 1_500.0
"""A message that was acknowledged this long before a client closed by itself should have reached it."""
SATURATED_CPU: Final = 0.9
"""The share of a core above which a client process is no longer a reliable witness."""
SATURATED_LAG_MS: Final = 1_000.0


@dataclass
class Findings:
    """The oracle's findings.

    Attributes:
        by_receiver: The counts of each receiver and room; only those that are not zero.
        evidence: A few sentences for each count.
        told: Missing messages whose receivers were told.
        latencies_ms: For each message that arrived, the time of its invocation and its latency.

    """

    story: Story
    by_receiver: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    evidence: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    told: int = 0
    delivered: int = 0
    expected: int = 0
    latencies_ms: list[tuple[float, float]] = field(default_factory=list)

    @property
    def totals(self) -> Mapping[str, int]:
        """The five counts over all receivers."""
        total: Counter[str] = Counter()
        for counts in self.by_receiver.values():
            total.update(counts)
        return {name: total[name] for name in COUNTS}

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged messages."""
        return sum(message.acked_ms is not None for message in self.story.messages.values())

    @property
    def clean(self) -> bool:
        """Whether all five counts are zero."""
        return not any(self.totals.values())

    def note(self, name: str, receiver: Receiver, sentence: str) -> None:
        """Count one violation."""
        self.by_receiver[receiver.client, receiver.room][name] += 1
        if len(self.evidence[name]) < _MAX_EVIDENCE:
            self.evidence[name].append(f"{name}: {receiver.client} in {receiver.room}: {sentence}")


def check(entries: Iterable[Entry]) -> Findings:
    """Judge a journal."""
    story = tell(entries)
    findings = Findings(story)
    places = _places(story)
    by_room: dict[str, list[Receiver]] = defaultdict(list)
    in_room: dict[str, dict[str, Message]] = defaultdict(dict)
    for id_, message in story.messages.items():
        in_room[message.room][id_] = message
    for receiver in story.receivers.values():
        by_room[receiver.room].append(receiver)
        _check_phantoms(receiver, findings)
        _check_doubles(receiver, findings)
        _check_missing(receiver, in_room[receiver.room], places, findings)
    for receivers in by_room.values():
        _check_order(receivers, findings)
    return findings


def void_reasons(
    findings: Findings,
    entries: Iterable[Entry],
    *,
    proofs: Sequence[str],
    missing_proofs: Sequence[str],
    at_least: int,
    is_timed: bool = True,
) -> list[str]:
    """Return why a run is inconclusive, whatever its counts; empty if it is conclusive.

    Args:
        findings: The findings of `check` for the same entries.
        entries: The journal, for the generator's own load.
        proofs: The proofs that the fault took place.
        missing_proofs: The proofs that are missing.
        at_least: The required number of acknowledged messages.
        is_timed: Whether the run is also judged by times, for which a saturated generator is useless.

    """
    reasons = []
    if findings.acknowledged < at_least:
        reasons.append(f"only {findings.acknowledged} messages were acknowledged, {at_least} are needed")
    if not findings.delivered:
        reasons.append("nothing was delivered")
    if missing_proofs:
        reasons += [f"no proof of the fault: {missing}" for missing in missing_proofs]
    elif not proofs:
        reasons.append("no proof that the fault took place")
    cpu, lag_ms = generator_load(entries)
    if is_timed and (cpu > SATURATED_CPU or lag_ms > SATURATED_LAG_MS):
        reasons.append(f"the generator was saturated: {cpu:.0%} of a core, {lag_ms:.0f} ms late")
    return reasons


def generator_load(entries: Iterable[Entry]) -> tuple[float, float]:
    """Return the highest mean CPU share of any client process, and the longest delay of any."""
    shares: dict[str, list[float]] = defaultdict(list)
    lag_ms = 0.0
    for entry in entries:
        if entry.kind == "meter":
            shares[entry.client].append(entry.cpu)
            lag_ms = max(lag_ms, entry.lag_ms)
    return max((sum(of) / len(of) for of in shares.values()), default=0.0), lag_ms


def _places(story: Story) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for receiver in story.receivers.values():
        for entry in receiver.got:
            if entry.id not in places and (place := Place.of(entry.offset)):
                places[entry.id] = place
    return places


def _check_phantoms(receiver: Receiver, findings: Findings) -> None:
    strays = {id(entry) for entry in receiver.stray}
    for entry in receiver.got:
        message = findings.story.messages.get(entry.id)
        if message is None:
            findings.note("phantom", receiver, f"{entry.id} was never invoked")
        elif message.room != entry.room:
            findings.note("phantom", receiver, f"{entry.id} was sent to {message.room}")
        elif id(entry) in strays:
            findings.note(
                "phantom", receiver, f"{entry.id} arrived from a room that the receiver never joined"
            )
        else:
            findings.delivered += 1
            findings.latencies_ms.append((message.invoked_ms, entry.at_ms - message.invoked_ms))


def _check_doubles(receiver: Receiver, findings: Findings) -> None:
    first: dict[str, Entry] = {}
    for entry in receiver.got:
        earlier = first.setdefault(entry.id, entry)
        if earlier is entry:
            continue
        if earlier.offset == entry.offset:
            findings.note("doubled", receiver, f"{entry.id} arrived twice (offset {entry.offset or 'none'})")
        elif not _was_told_of_a_loss(receiver, earlier, entry):
            findings.note(
                "doubled", receiver, f"{entry.id} was appended twice ({earlier.offset} and {entry.offset})"
            )


def _was_told_of_a_loss(receiver: Receiver, earlier: Entry, later: Entry) -> bool:
    before, after = Place.of(earlier.offset), Place.of(later.offset)
    if before is None or after is None or before.epoch == after.epoch:
        return False
    ends = (span.ended_ms for span in receiver.spans if not span.closed)
    return any(end is not None and earlier.at_ms <= end <= later.at_ms for end in ends)


def _check_missing(
    receiver: Receiver, messages: Mapping[str, Message], places: Mapping[str, Place], findings: Findings
) -> None:
    got = {entry.id for entry in receiver.got}
    for span in receiver.spans:
        highest, last_ms = _reach(span, findings.story)
        for id_, message in messages.items():
            if not _is_due(message, span):
                continue
            findings.expected += 1
            if id_ in got:
                continue
            place = places.get(id_)
            hole = (message.acked_ms or 0.0) < last_ms or (
                place is not None and place.position < highest.get(place.epoch, -1)
            )
            if span.ended_ms is None or (
                span.closed and (message.acked_ms or 0.0) < span.ended_ms - IN_FLIGHT_MS
            ):
                findings.note("lost", receiver, f"{id_}, acknowledged, never arrived; the receiver was whole")
            if hole:
                findings.note(
                    "hole", receiver, f"{id_} is missing, later ones arrived, and the receiver was not told"
                )
            if span.ended_ms is not None and not span.closed and not hole:
                findings.told += 1
    for earlier, later in itertools.pairwise(receiver.spans):
        # A receiver outside of its spans was told, and knows that it may have missed messages.
        findings.told += sum(
            message.acked_ms is not None
            and message.acked_ms >= (earlier.ended_ms or 0.0)
            and message.invoked_ms <= later.joined_ms
            and id_ not in got
            for id_, message in messages.items()
        )


def _reach(span: Span, story: Story) -> tuple[dict[str, int], float]:
    """Return how far a span reached: the highest position of each epoch, and the latest invocation."""
    highest: dict[str, int] = {}
    last_ms = 0.0
    for entry in span.got:
        if place := Place.of(entry.offset):
            highest[place.epoch] = max(highest.get(place.epoch, -1), place.position)
        if message := story.messages.get(entry.id):
            last_ms = max(last_ms, message.invoked_ms)
    return highest, last_ms


def _is_due(message: Message, span: Span) -> bool:
    if message.acked_ms is None or message.invoked_ms <= span.joined_ms:
        return False
    return span.ended_ms is None or message.acked_ms < span.ended_ms


def _check_order(receivers: Sequence[Receiver], findings: Findings) -> None:
    """Compare receivers with the log, and every receiver of a room with the one that received most of it."""
    reference = max(receivers, key=lambda receiver: len(receiver.got))
    reference_ids = first_of_each(_appended(entry) for entry in reference.got)
    for receiver in receivers:
        arrivals = [(entry.id, Place.of(entry.offset)) for entry in receiver.got]
        late = disorder_by_place(arrivals)
        for id_ in late:
            findings.note("reordered", receiver, f"{id_} arrived after a message that follows it in the log")
        if receiver is reference:
            continue
        known = set(late)
        mine = first_of_each(_appended(entry) for entry in receiver.got)
        for id_, _ in disorder_between(mine, reference_ids):
            if id_ not in known:
                findings.note(
                    "reordered", receiver, f"{id_} arrived in another order than at {reference.client}"
                )


def _appended(entry: Entry) -> tuple[str, str]:
    """Return the identity of a log entry: a message that was appended twice has two entries."""
    return entry.id, entry.offset
