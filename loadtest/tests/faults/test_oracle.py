"""The oracle, on journals made by hand: each kind of damage is caught and called by its name."""

import pytest

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.oracle import check, void_reasons


def journal(messages=20, receivers=("ann", "bob", "cid"), *, offsets=True):
    """Return a flawless journal: publishers' and receivers' entries, in the order of time."""
    entries = []
    for client in receivers:
        entries.append(Entry("connect", client, 0, id=f"s-{client}", gateway="gateway-1"))
        entries.append(Entry("join", client, 1, room="den"))
        entries.append(Entry("joined", client, 2, room="den"))
    for number in range(messages):
        at, id_ = 10.0 + 10 * number, f"m{number}"
        entries.append(Entry("invoked", "pub", at, room="den", id=id_, seq=number))
        entries.append(Entry("acked", "pub", at + 2, room="den", id=id_, seq=number))
        offset = f"e.{number + 7}" if offsets else ""
        entries += [got(client, number, at + 3, offset) for client in receivers]
    return entries


def got(client, number, at=0.0, offset=""):
    return Entry("got", client, at, room="den", id=f"m{number}", seq=number, offset=offset)


def where(entries, client, number):
    """Return the index of the arrival of a message at a client."""
    return next(i for i, e in enumerate(entries) if (e.kind, e.client, e.id) == ("got", client, f"m{number}"))


def reconnect(entries, client, *, after, recovered, back_after):
    """Let a client drop after one message and come back after another."""
    entries.insert(
        where(entries, client, back_after) + 1,
        Entry("connect", client, 10.0 + 10 * back_after + 4, recovered=recovered, gateway="gateway-2"),
    )
    entries.insert(
        where(entries, client, after) + 1,
        Entry("disconnect", client, 10.0 + 10 * after + 4, detail="transport close"),
    )


def nonzero(findings):
    return {name: count for name, count in findings.totals.items() if count}


def test_a_flawless_journal_is_clean_and_counted():
    findings = check(journal())
    assert {} == nonzero(findings)
    assert findings.clean
    assert (20, 60, 60) == (findings.acknowledged, findings.delivered, findings.expected)


def test_a_deleted_message_in_the_middle_is_lost_and_a_silent_hole():
    entries = journal()
    del entries[where(entries, "bob", 5)]
    findings = check(entries)
    assert {"lost": 1, "hole": 1} == nonzero(findings)
    assert {("bob", "den")} == set(findings.by_receiver)
    assert "m5" in findings.evidence["lost"][0]


def test_a_deleted_last_message_is_lost():
    entries = journal()
    del entries[where(entries, "bob", 19)]
    assert {"lost": 1} == nonzero(check(entries))


def test_a_message_given_twice_is_doubled():
    entries = journal()
    entries.insert(where(entries, "ann", 6), got("ann", 5, 70.0, "e.12"))
    findings = check(entries)
    assert {"doubled": 1} == nonzero(findings)
    assert "arrived twice" in findings.evidence["doubled"][0]


def test_a_message_appended_twice_is_doubled_and_called_so():
    entries = journal()
    entries.append(got("ann", 5, 999.0, "e.99"))
    findings = check(entries)
    assert {"doubled": 1} == nonzero(findings)
    assert "appended twice" in findings.evidence["doubled"][0]


@pytest.mark.parametrize(
    ("recovered", "offset", "expected"),
    [(False, "f.1", {}), (True, "f.1", {"doubled": 1}), (False, "e.99", {"doubled": 1})],
)
def test_a_message_appended_again_after_a_loss_is_no_double_to_who_was_told(recovered, offset, expected):
    entries = journal(receivers=("ann",))
    reconnect(entries, "ann", after=19, recovered=recovered, back_after=19)
    entries.append(got("ann", 5, 999.0, offset))
    assert expected == nonzero(check(entries))


def test_messages_that_were_appended_twice_are_two_when_orders_are_compared():
    entries = journal(receivers=("ann", "bob"))
    for client in ("ann", "bob"):
        reconnect(entries, client, after=19, recovered=False, back_after=19)
    for number in (6, 5):
        entries += [got(client, number, 999.0, f"f.{9 - number}") for client in ("ann", "bob")]
    del entries[where(entries, "bob", 5)]
    assert "reordered" not in nonzero(check(entries))


def test_a_message_doubled_over_a_reconnection_is_doubled():
    entries = journal()
    reconnect(entries, "ann", after=5, recovered=True, back_after=5)
    entries.insert(where(entries, "ann", 6), got("ann", 5, 66.0, "e.12"))
    assert {"doubled": 1} == nonzero(check(entries))


@pytest.mark.parametrize("offsets", [True, False])
def test_swapped_messages_are_reordered_by_the_log_or_by_the_other_receivers(offsets):
    entries = journal(offsets=offsets)
    one, other = where(entries, "cid", 5), where(entries, "cid", 6)
    entries[one], entries[other] = entries[other], entries[one]
    findings = check(entries)
    assert {"reordered": 1} == nonzero(findings)
    assert {("cid", "den")} == set(findings.by_receiver)
    assert ("in the log" if offsets else "another order") in findings.evidence["reordered"][0]


def test_all_receivers_swapping_alike_is_still_against_the_log():
    entries = journal()
    for client in ("ann", "bob", "cid"):
        one, other = where(entries, client, 5), where(entries, client, 6)
        entries[one], entries[other] = entries[other], entries[one]
    assert {"reordered": 3} == nonzero(check(entries))


def test_an_invented_message_is_a_phantom():
    entries = journal()
    entries.append(got("ann", 777, 500.0))
    assert {"phantom": 1} == nonzero(check(entries))


def test_a_message_in_another_room_than_it_was_said_in_is_a_phantom():
    entries = [
        *journal(),
        Entry("join", "ann", 3, room="pub"),
        Entry("got", "ann", 400.0, room="pub", id="m3"),
    ]
    assert {"phantom": 1} == nonzero(check(entries))


def test_a_message_of_a_room_that_was_never_asked_for_is_a_phantom():
    entries = [*journal(), Entry("connect", "eve", 0), got("eve", 3, 400.0)]
    assert {"phantom": 1} == nonzero(check(entries))


def test_a_gap_over_a_recovered_reconnection_is_lost_and_a_silent_hole():
    entries = journal()
    del entries[where(entries, "bob", 6)]
    reconnect(entries, "bob", after=5, recovered=True, back_after=7)
    findings = check(entries)
    assert {"lost": 1, "hole": 1} == nonzero(findings)
    assert (1, 0) == (findings.story.recovered, findings.story.not_recovered)


def test_a_gap_before_the_client_is_told_is_no_violation_but_counted():
    entries = journal()
    reconnect(entries, "bob", after=4, recovered=False, back_after=6)
    for number in (5, 6, 7, 8):
        del entries[where(entries, "bob", number)]
    # Back at 74 it joins again at 75: what was said from then on is due again.
    entries.insert(where(entries, "bob", 9), Entry("joined", "bob", 95.0, room="den"))
    findings = check(entries)
    assert {} == nonzero(findings)
    assert (0, 1) == (findings.story.recovered, findings.story.not_recovered)


def test_a_hole_while_the_client_believed_it_was_whole_stays_one_though_it_is_told_later():
    entries = journal()
    reconnect(entries, "bob", after=15, recovered=False, back_after=16)
    del entries[where(entries, "bob", 3)]
    assert 1 == check(entries).totals["hole"]


def test_a_message_in_flight_when_the_client_was_cut_off_and_told_is_told():
    entries = journal()
    cut = where(entries, "bob", 6)
    entries[cut] = Entry("disconnect", "bob", 74.0, detail="transport close")
    entries = [e for e in entries if not (e.client == "bob" and e.kind == "got" and e.seq > 6)]
    entries.append(Entry("connect", "bob", 400.0, recovered=False))
    findings = check(entries)
    assert {} == nonzero(findings)
    assert 1 == findings.told


def test_a_client_that_never_comes_back_is_named_absent():
    entries = [*journal(), Entry("disconnect", "bob", 500.0, detail="transport close")]
    assert {"bob"} == check(entries).story.absent


def test_a_client_that_closed_by_itself_had_to_get_what_was_acknowledged_well_before():
    entries = [*journal(), Entry("closed", "bob", 5_000.0)]
    entries.append(Entry("disconnect", "bob", 5_001.0, detail="io client disconnect"))
    assert {} == nonzero(check(entries))
    assert set() == check(entries).story.absent
    del entries[where(entries, "bob", 19)]
    assert {"lost": 1} == nonzero(check(entries))


def test_a_client_that_closed_with_messages_in_flight_may_miss_them():
    entries = [*journal(), Entry("closed", "bob", 210.0)]
    del entries[where(entries, "bob", 19)]
    assert {} == nonzero(check(entries))


def test_a_message_that_was_not_acknowledged_may_be_missing_or_not():
    entries = [e for e in journal() if not (e.kind == "acked" and e.seq == 5)]
    entries.append(Entry("unknown", "pub", 500.0, room="den", id="m5", seq=5))
    assert {} == nonzero(check(entries))
    del entries[where(entries, "bob", 5)]
    assert {} == nonzero(check(entries))


def test_the_order_of_journals_of_different_processes_does_not_matter():
    entries = journal()
    entries = [e for e in entries if e.client == "bob"] + [e for e in entries if e.client != "bob"]
    assert {} == nonzero(check(entries))


def test_messages_of_different_epochs_are_not_compared_by_position():
    assert {} == nonzero(check([renumbered(entry) for entry in journal()]))


def renumbered(entry):
    """Put the second half of the messages into a new epoch that counts from 1."""
    if entry.kind != "got" or entry.seq < 10:
        return entry
    return Entry(
        "got", entry.client, entry.at_ms, room="den", id=entry.id, seq=entry.seq, offset=f"f.{entry.seq - 9}"
    )


VOID = {"proofs": ["killed"], "missing_proofs": [], "at_least": 10}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"at_least": 100}, "only 20 messages"),
        ({"proofs": []}, "no proof that the fault"),
        ({"missing_proofs": ["nobody was disconnected"]}, "nobody was disconnected"),
    ],
)
def test_a_run_that_shows_nothing_is_void(change, reason):
    entries = journal()
    assert reason in void_reasons(check(entries), entries, **{**VOID, **change})[0]


def test_a_run_with_messages_a_proof_and_a_generator_at_ease_is_not_void():
    entries = [*journal(), Entry("meter", "node-1", 100, cpu=0.4, lag_ms=20)]
    assert [] == void_reasons(check(entries), entries, **VOID)


def test_a_saturated_generator_makes_a_run_void_unless_times_do_not_matter():
    entries = [*journal(), Entry("meter", "node-1", 100, cpu=0.99, lag_ms=20)]
    assert [] == void_reasons(check(entries), entries, **VOID, is_timed=False)
    assert "saturated" in void_reasons(check(entries), entries, **VOID)[0]
    entries = [*journal(), Entry("meter", "node-1", 100, cpu=0.1, lag_ms=5_000)]
    assert "saturated" in void_reasons(check(entries), entries, **VOID)[0]
