"""A row's verdict: what fails it, what makes it void, what the table says."""

from types import SimpleNamespace

import pytest

from roomwire_loadtest.faults.journal import Entry
from roomwire_loadtest.faults.judge import judge
from roomwire_loadtest.faults.report import FAIL, NOT_WRITTEN, PASS, SKIP, VOID, Outcome, table
from roomwire_loadtest.faults.scenarios import ROWS
from roomwire_loadtest.faults.stage import Row, Stage


def stage(*, proofs=("killed",), breaches=(), recovered=True, lose=False):
    entries = [
        Entry("connect", "ann", 0),
        Entry("join", "ann", 1, room="den"),
        Entry("joined", "ann", 2, room="den"),
    ]
    for number in range(50):
        at = 10.0 + number
        entries.append(Entry("invoked", "pub", at, room="den", id=f"m{number}"))
        entries.append(Entry("acked", "pub", at + 0.2, room="den", id=f"m{number}"))
        if not (lose and number == 5):
            entries.append(Entry("got", "ann", at + 0.3, room="den", id=f"m{number}", offset=f"e.{number}"))
    entries.append(Entry("disconnect", "ann", 100.0, detail="transport close"))
    entries.append(Entry("connect", "ann", 110.0, recovered=recovered))
    made = Stage(None, SimpleNamespace(entries=entries), quick=False)
    made.proofs += proofs
    made.breaches += breaches
    return made


ROW = Row("K1", "harm", None, at_least=50)


def test_a_clean_run_with_a_proof_passes():
    assert PASS == judge(ROW, stage(), [], quick=False).verdict


@pytest.mark.parametrize(
    ("made", "crash", "reason"),
    [
        (stage(lose=True), [], "1 lost at 1 receivers"),
        (stage(recovered=False), [], "1 of 1 reconnections were not recovered"),
        (stage(breaches=["too slow"]), [], "too slow"),
        (stage(), ["it broke"], "it broke"),
    ],
)
def test_whatever_is_wrong_fails_it_and_is_named(made, crash, reason):
    outcome = judge(ROW, made, crash, quick=False)
    assert FAIL == outcome.verdict
    assert any(reason in line for line in outcome.reasons)


def test_lines_about_time_count_in_timed_runs_only():
    for is_timed, breaches in ((True, ["slow"]), (False, [])):
        made = Stage(None, SimpleNamespace(entries=[]), quick=False, is_timed=is_timed)
        made.hold_time(True, "quick enough")
        made.hold_time(False, "slow")
        assert breaches == made.breaches


def test_without_proof_or_messages_it_is_void():
    assert VOID == judge(ROW, stage(proofs=()), [], quick=False).verdict
    assert VOID == judge(Row("K1", "harm", None, at_least=51), stage(), [], quick=False).verdict


def test_a_violation_fails_a_run_that_would_be_void():
    assert FAIL == judge(ROW, stage(proofs=(), lose=True), [], quick=False).verdict


def test_a_row_where_nobody_can_be_recovered_fails_if_somebody_is():
    row = Row("K4 emptied", "harm", None, at_least=50, reconnections="none recovered")
    assert FAIL == judge(row, stage(), [], quick=False).verdict
    assert PASS == judge(row, stage(recovered=False), [], quick=False).verdict


def test_the_table_says_what_was_skipped_or_not_written():
    text = table(
        [Outcome("K8", "parted", SKIP, reasons=["no namespaces"]), Outcome("K6", "promoted", NOT_WRITTEN)]
    )
    assert "no namespaces" in text
    assert "not written" in text
    assert "PASS" not in text


def test_every_fault_has_a_row():
    assert {f"K{number}" for number in range(1, 17)} == {row.id.split()[0] for row in ROWS}
