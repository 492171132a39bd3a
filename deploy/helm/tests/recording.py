"""Replays to promtool what processes export while something is broken: does the alert fire, and does the panel show it?

A step is one scrape of each process. Steps count as one Prometheus interval apart, so no test waits for one.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from chart import CHART

INTERVAL_S = 30
EVALUATION_S = 15
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_WANTED = re.compile(r"roomwire_|process_")


class Recording:
    """Scrapes of processes, step by step; `mark` notes when the breakage begins, `mend` when it ends."""

    def __init__(self) -> None:
        self._steps: list[dict[str, str]] = []
        self._grown: list[dict[str, float]] = []
        self.broken_from = 0
        self._mended_from: int | None = None

    def mark(self) -> None:
        """Note that everything from here on is broken."""
        self.broken_from = len(self._steps)

    def mend(self) -> None:
        """Note that everything from here on is healthy again: the alert must have ended by the end of the recording."""
        self._mended_from = len(self._steps)

    def add(self, **scrapes: str) -> None:
        """Add a step: what each pod exports, by a name such as `gateway`; a pod that has gone is left out."""
        self._steps.append(scrapes)

    def hold(self, steps: int) -> None:
        """Repeat the last scrapes: nothing happens to the processes."""
        self._steps += [self._steps[-1]] * steps

    def go_on(self, steps: int) -> None:
        """Let counters grow as they did in the last step: what happened then continues."""
        before, last = (self._values(step) for step in self._steps[-2:])
        self._grown = [
            {name: value + n * (value - before.get(name, value)) for name, value in last.items()}
            for n in range(1, steps + 1)
        ]

    def values_at(self, step: int) -> dict[str, float]:
        """Return the samples of one step."""
        return self._values(self._steps[step])

    @staticmethod
    def _values(step: dict[str, str]) -> dict[str, float]:
        values = {}
        for pod, text in step.items():
            for line in text.splitlines():
                found = _SAMPLE.match(line)
                if found and _WANTED.match(found[1]):
                    labels = f'namespace="den",pod="chat-roomwire-{pod}-a"' + (
                        f",{found[2]}" if found[2] else ""
                    )
                    values[f"{found[1]}{{{labels}}}"] = float(found[3])
        return values

    def check(
        self, folder: Path, rules: Any, *, alert: str, panel: str, dashboard: str, within_s: int | None
    ) -> None:
        """Check with promtool that the alert is silent before the breakage and fires after it, and that the panel shows it.

        After `mend` the alert must also end.

        Args:
            folder: A folder for files.
            rules: The chart's rules.
            alert: The alert's name.
            panel: The panel's title.
            dashboard: `gateways` or `auth`.
            within_s: Maximum time from the breakage to the alert. Default: the end of the recording.

        """
        steps = [self._values(step) for step in self._steps] + self._grown
        names = sorted({name for step in steps for name in step})
        series = [{"series": name, "values": " ".join(_values_of(name, steps))} for name in names]
        firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
        began_s = INTERVAL_S * self.broken_from
        ended_s = INTERVAL_S * (len(steps) - 1)
        broken_until_s = ended_s if self._mended_from is None else INTERVAL_S * (self._mended_from - 1)
        until_s = broken_until_s if within_s is None else began_s + within_s
        cases = [_expects(f"({firing}) > bool 0", until_s, 1)]
        if self._mended_from is not None:
            cases.append(_expects(firing, ended_s, 0))
        if self.broken_from:
            cases.append(_expects(firing, began_s - INTERVAL_S, 0))
        seen_s = max(0, began_s - INTERVAL_S)
        cases += [_expects(f"count({query}) > bool 0", seen_s, 1) for query in queries(dashboard, panel)]
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        test = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": f"{EVALUATION_S}s",
            "tests": [{"interval": f"{INTERVAL_S}s", "input_series": series, "promql_expr_test": cases}],
        }
        (folder / "tests.yaml").write_text(yaml.safe_dump(test))
        told = subprocess.run(
            ["promtool", "test", "rules", "tests.yaml"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == told.returncode, told.stdout + told.stderr


def _values_of(name: str, steps: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Yield the values of a series; where the series ends, Prometheus notes that it is stale."""
    was_there = False
    for step in steps:
        is_there = name in step
        yield f"{step[name]:g}" if is_there else "stale" if was_there else "_"
        was_there = is_there


def _expects(expression: str, at_s: int, value: float) -> dict[str, Any]:
    return {"expr": expression, "eval_time": f"{at_s}s", "exp_samples": [{"labels": "{}", "value": value}]}


def queries(dashboard: str, panel: str) -> list[str]:
    """Return the queries of a panel, with the dashboard's variables filled in."""
    shown = json.loads((CHART / f"dashboards/roomwire-{dashboard}.json").read_text())
    (found,) = [one for one in shown["panels"] if one["title"] == panel]
    return [filled(target["expr"]) for target in found["targets"]]


def filled(query: str, *, rate_interval: str = "2m") -> str:
    """Return a query as Grafana sends it."""
    for variable, value in (("$namespace", "den"), ("$pod", ".+"), ("$__rate_interval", rate_interval)):
        query = query.replace(variable, value)
    return query
