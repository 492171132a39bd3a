"""The rules of several logs hold in every schedule, and each of them is needed."""

import re
from pathlib import Path

import pytest

from model.many.deployment import Deployment
from model.many.faults import UNMIXED, Mix
from model.many.rules import RULES, Rule
from model.many.trial import first_caught, judge, trial

SCHEDULES = 400
SCHEDULES_WITH_EACH_MIX = 20
FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[4] / "docs" / "model.md"


def failing(seeds: range, mix: Mix = UNMIXED) -> str:
    """Return what to read for the first seed that fails; nothing if none does."""
    for seed in seeds:
        if trial(seed, mix=mix).violations:
            deployment = Deployment(seed, mix=mix, is_traced=True)
            judge(deployment)
            trace = "\n".join(deployment.trace or ())
            return f"seed {seed}, {mix}\n{trace}"
    return ""


def test_no_schedule_of_several_logs_breaks_a_guarantee() -> None:
    assert "" == failing(range(SCHEDULES))


def test_no_schedule_with_the_faults_of_a_bug_breaks_a_guarantee_without_the_bug() -> None:
    mixes = {rule.mix for rule in RULES} - {UNMIXED}
    assert [""] * len(mixes) == [failing(range(SCHEDULES_WITH_EACH_MIX), mix) for mix in mixes]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.bug)
def test_a_bug_is_caught(rule: Rule) -> None:
    assert first_caught(rule)[0], rule.sentence


def test_clients_recover_in_many_schedules_so_that_there_is_something_to_judge() -> None:
    assert sum(trial(seed).recovered for seed in range(100)) > 100


def test_the_rules_are_those_that_the_code_can_leave_out() -> None:
    code = "".join(
        path.read_text() for path in FOLDER.glob("*.py") if not path.name.startswith(("rules", "test_"))
    )
    tested = set(re.findall(r'"(\w+)" (?:not )?in [\w.]*bugs', code))
    assert {rule.bug for rule in RULES} == tested


def test_the_page_lists_the_rules_as_they_are() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (.+) \|$", PAGE.read_text().split("## Several logs")[1], re.MULTILINE
    )
    assert [(rule.bug, rule.sentence) for rule in RULES] == rows
