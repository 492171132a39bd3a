"""Run schedules: `python -m model --schedules 100000 --seed 0`; `--bugs` lists what each rule prevents."""

import argparse
import sys
import time

from model.check import KINDS
from model.rules import BOUND, RULES, UNBIASED, Bias
from model.schedule import Schedule
from model.search import first_caught, shortest


def main() -> int:
    """Return 0 if nothing unexpected was found."""
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1, help="how many, from the seed on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trace", action="store_true", help="print what happens, shortened to what fails")
    parser.add_argument("--bug", choices=[rule.bug for rule in RULES], help="leave a rule out, with its bias")
    parser.add_argument("--bugs", action="store_true", help="print when each bug is caught")
    options = parser.parse_args()
    if options.bugs:
        return _list_bugs()
    rule = next((rule for rule in RULES if rule.bug == options.bug), None)
    bugs = frozenset({rule.bug}) if rule else frozenset()
    bias = rule.bias if rule else UNBIASED
    if options.trace:
        return _trace(options.seed, bugs, bias)
    return _run(range(options.seed, options.seed + options.schedules), bugs, bias)


def _run(seeds: range, bugs: frozenset[str], bias: Bias) -> int:
    began = time.perf_counter()
    steps = recovered = refused = failed = 0
    for seed in seeds:
        result = Schedule(seed, bugs, bias).run()
        steps += result.steps
        recovered += result.recovered
        refused += result.refused
        if result.violations:
            failed += 1
            kinds = sorted({violation.kind for violation in result.violations})
            _say(f"seed {seed}: {', '.join(kinds)}")
    elapsed = time.perf_counter() - began
    _say(
        f"{len(seeds)} schedules, {failed} with violations; {recovered} recoveries, {refused} refusals; "
        f"{len(seeds) / elapsed:.0f} schedules/s, {steps / elapsed:.0f} steps/s"
    )
    return int(failed > 0)


def _trace(seed: int, bugs: frozenset[str], bias: Bias) -> int:
    steps = shortest(seed, bugs, bias)
    schedule = Schedule(seed, bugs, bias, steps, is_traced=True)
    result = schedule.run()
    for sentence in schedule.world.trace or ():
        _say(sentence)
    for kind in sorted({violation.kind for violation in result.violations}):
        _say(f"{kind}: {KINDS[kind]}")
    return int(bool(result.violations))


def _list_bugs() -> int:
    missed = 0
    for rule in RULES:
        caught = first_caught(rule)
        missed += caught is None
        after = (
            f"not within {BOUND} schedules"
            if caught is None
            else f"after {caught.schedules:5}: {caught.kinds}"
        )
        _say(f"{rule.bug:30} {after}")
    return int(missed > 0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
