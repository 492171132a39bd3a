"""The rules hold in every schedule, and each of them is needed: what happens without it is found."""

import re
from pathlib import Path

import pytest

from model import broken_outbox, broken_subscriber, kept
from model.rules import BOUND, RULES, UNBIASED, Bias, Rule
from model.schedule import Schedule
from model.search import first_caught, kinds_of, shortest

SCHEDULES = 4_000
SCHEDULES_A_TEST = 1_000  # so that the cores share them
SCHEDULES_WITH_EACH_BIAS = 40
FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[3] / "docs" / "model.md"


def failing(seeds: range, bias: Bias = UNBIASED) -> str:
    """Return what to run and read for the first seed that fails, shortened; nothing if none does."""
    for seed in seeds:
        if kinds := kinds_of(seed, frozenset(), bias):
            schedule = Schedule(seed, frozenset(), bias, shortest(seed, frozenset(), bias), is_traced=True)
            schedule.run()
            trace = "\n".join(schedule.world.trace or ())
            return f"{sorted(kinds)}: python -m model --seed {seed} --trace (bias: {bias})\n{trace}"
    return ""


@pytest.mark.parametrize("first", range(0, SCHEDULES, SCHEDULES_A_TEST))
def test_no_schedule_breaks_a_guarantee(first: int) -> None:
    assert "" == failing(range(first, first + SCHEDULES_A_TEST))


def test_no_schedule_with_the_circumstances_of_a_bug_breaks_a_guarantee_without_the_bug() -> None:
    biases = {rule.bias for rule in RULES} - {UNBIASED}
    assert [""] * len(biases) == [failing(range(SCHEDULES_WITH_EACH_BIAS), bias) for bias in biases]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.bug)
def test_a_bug_is_caught(rule: Rule) -> None:
    assert first_caught(rule), f"{BOUND} schedules without {rule.bug}: {rule.sentence}"


def test_a_seed_decides_everything() -> None:
    def trace() -> list[str] | None:
        schedule = Schedule(11, is_traced=True)
        schedule.run()
        return schedule.world.trace

    assert trace() == trace()


def test_a_shorter_schedule_begins_in_the_same_way() -> None:
    def trace(steps: int) -> list[str]:
        schedule = Schedule(12, steps=steps, is_traced=True)
        schedule.run()
        return schedule.world.trace or []

    def trouble(sentences: list[str]) -> list[str]:
        return sentences[: next(at for at, sentence in enumerate(sentences) if sentence.endswith("peace"))]

    short = trouble(trace(40))
    assert short == trouble(trace(80))[: len(short)]


def test_clients_recover_in_most_schedules_so_that_there_is_something_to_judge() -> None:
    results = [Schedule(seed).run() for seed in range(300)]
    assert sum(result.recovered for result in results) > 75


def test_the_rules_are_those_that_the_code_can_leave_out() -> None:
    code = "".join(
        path.read_text() for path in FOLDER.glob("*.py") if not path.name.startswith(("rules", "test_"))
    )
    unused = [rule.bug for rule in RULES if f'"{rule.bug}"' not in code]
    tested = set(re.findall(r'"(\w+)" (?:not )?in [\w.]*bugs', code))
    for names in re.findall(r"bugs & \{([^}]*)\}", code):
        tested |= set(re.findall(r'"(\w+)"', names))
    tested |= {*broken_outbox.BROKEN, *broken_subscriber.BROKEN, *kept.BROKEN}
    assert ([], set()) == (unused, tested - {rule.bug for rule in RULES})


def test_the_page_lists_the_rules_as_they_are() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (.+) \|$", PAGE.read_text().split("## Several logs")[0], re.MULTILINE
    )
    assert [(rule.bug, rule.sentence) for rule in RULES] == rows
