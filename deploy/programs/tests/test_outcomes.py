"""What programs did, whose fault a failure is, and the table of it."""

import re

import pytest
from outcomes import PAGE, Outcome, Row, table, write
from programs import CHAINLIT, NICEGUI, OURS, REFLEX, STOCK, SUITES

ROW = {"program": "Board", "version": "1", "runs": "a page"}
LOCKED = {
    "NiceGUI": NICEGUI.version("nicegui"),
    "Reflex": REFLEX.version("reflex"),
    "Chainlit": CHAINLIT.version("chainlit"),
    "pydantic-socketio": SUITES.version("pydantic-socketio"),
    "zndraw-socketio": SUITES.version("zndraw-socketio"),
    "python-socketio": SUITES.version("python-socketio"),
}


def test_a_step_that_fails_does_not_prevent_the_next():
    outcome = Outcome()
    with outcome.step("click"):
        raise TimeoutError("nothing was shown\nin 15 s")
    with outcome.step("table"):
        pass

    assert {"click": "nothing was shown"} == outcome.failed
    assert ["table"] == outcome.worked


@pytest.mark.parametrize(
    ("stock", "ours", "expected"),
    [
        (Outcome(worked=["click"]), Outcome(worked=["click"]), {}),
        (Outcome(failed={"click": "no"}), Outcome(failed={"click": "no"}), {}),
        (Outcome(worked=["click"]), Outcome(failed={"click": "no"}), {"click": "no"}),
        (Outcome(worked=["click", "starts"]), Outcome(failed={"starts": "no"}), {"starts": "no"}),
        (Outcome(worked=["suite: test"]), Outcome(failed={"starts": "no"}), {"starts": "no"}),
    ],
    ids=["both work", "both fail", "ours fails", "ours does not start", "the suite does not run on ours"],
)
def test_what_fails_on_ours_alone_is_ours(stock, ours, expected):
    assert expected == Row(**ROW, outcomes={STOCK: stock, OURS: ours}).ours_alone_fails()


def test_the_table_counts_what_worked_and_says_what_was_not_run_and_what_failed():
    outcomes = {STOCK: Outcome(worked=["a", "b"]), OURS: Outcome(worked=["a"], failed={"b": "no"})}

    written = table([Row(**ROW, outcomes=outcomes), Row(**ROW, not_run="name a folder")])

    assert "| Board | 1 | a page | 2 of 2 | 1 of 2 |" in written
    assert "| Board | 1 | a page | not run: name a folder | not run: name a folder |" in written
    assert "- Board, on `roomwire.Server`: b" in written


def test_a_count_may_stand_in_the_place_of_the_steps_and_what_was_left_out_is_below_the_table():
    outcomes = {STOCK: Outcome(worked=["starts"], shown="701 of 2,000"), OURS: Outcome(worked=["a"])}

    written = table([Row(**ROW, outcomes=outcomes, left_out="its browser tests: no driver")])

    assert "| Board | 1 | a page | 701 of 2,000 | 1 of 1 |" in written
    assert "What was left out:\n\n- Board: its browser tests: no driver" in written


def test_only_what_is_between_the_marks_of_the_page_is_written(tmp_path):
    page = tmp_path / "drop-in.md"
    page.write_text(
        "before\n<!-- programs: written by make programs -->\nold\n<!-- end of programs -->\nafter\n"
    )

    write([Row(**ROW, not_run="x")], page)

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text


def test_the_page_shows_each_program_at_its_locked_version():
    rows = re.findall(r"^\| ([\w.-]+) \| ([\d.]+) \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert LOCKED == {program: version for program, version in rows if program in LOCKED}
