"""Run schedules of several logs: `python -m model.many --schedules 10000 --seed 0`; `--bugs` lists what each rule prevents."""

import argparse
import sys

from model.check import KINDS
from model.many.deployment import Deployment
from model.many.faults import UNMIXED
from model.many.rules import BOUND, RULES
from model.many.trial import KINDS_BETWEEN_LOGS, first_caught, judge, trial


def main() -> int:
    """Return 0 if nothing unexpected was found."""
    parser = argparse.ArgumentParser(prog="python -m model.many", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1, help="how many, from the seed on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trace", action="store_true", help="print what happens in the first schedule")
    parser.add_argument(
        "--bug", choices=[rule.bug for rule in RULES], help="leave a rule out, with its faults"
    )
    parser.add_argument("--bugs", action="store_true", help="print when each bug is caught")
    options = parser.parse_args()
    if options.bugs:
        return _list_bugs()
    rule = next((rule for rule in RULES if rule.bug == options.bug), None)
    bugs, mix = (frozenset({rule.bug}), rule.mix) if rule else (frozenset(), UNMIXED)
    if options.trace:
        deployment = Deployment(options.seed, bugs, mix, is_traced=True)
        found = judge(deployment).violations
        for sentence in deployment.trace or ():
            _say(sentence)
        for kind in sorted({violation.kind for violation in found}):
            _say(f"{kind}: {(KINDS | KINDS_BETWEEN_LOGS)[kind]}")
        return int(bool(found))
    results = {seed: trial(seed, bugs, mix) for seed in range(options.seed, options.seed + options.schedules)}
    failed = {seed: result.violations for seed, result in results.items() if result.violations}
    for seed, found in failed.items():
        _say(f"seed {seed}: {', '.join(sorted({violation.kind for violation in found}))}")
    recovered = sum(result.recovered for result in results.values())
    refused = sum(result.refused for result in results.values())
    _say(
        f"{len(results)} schedules, {len(failed)} with violations; {recovered} recoveries, {refused} refusals"
    )
    return int(bool(failed))


def _list_bugs() -> int:
    missed = 0
    for rule in RULES:
        after, kinds = first_caught(rule)
        missed += not after
        _say(f"{rule.bug:32} {f'after {after}: {kinds}' if after else f'not within {BOUND} schedules'}")
    return int(missed > 0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
