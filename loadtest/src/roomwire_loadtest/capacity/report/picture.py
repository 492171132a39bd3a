"""Plots the cost of a message over load, measured and predicted: how far it falls, and how well the model predicts it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from roomwire_loadtest.capacity.costs.observed import Observation
from roomwire_loadtest.capacity.costs.results import Result

_COLOURS: Final = ("#d1495b", "#2e4057", "#66a182", "#edae49", "#00798c", "#8d96a3")
_MOST_LINES: Final = len(_COLOURS)


def draw(result: Result, paths: Sequence[Path]) -> None:
    """Draw the picture; each path's extension selects its format."""
    with mpl.rc_context({"svg.hashsalt": "roomwire", "font.size": 9}):
        figure = Figure(figsize=(13, 4.2), layout="constrained")
        costs, fits = figure.subplots(1, 2)
        _costs(costs, result)
        _fits(fits, result)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=120, metadata=metadata)


def _costs(panel: Axes, result: Result) -> None:
    runs: dict[str, list[Observation]] = {}
    for one in result.measured.observations:
        if one.process == "gateway-1" and one.work.get("messages") and one.work.get("deliveries"):
            runs.setdefault(one.run.rpartition(", ")[0], []).append(one)
    longest = sorted(runs, key=lambda run: -len(runs[run]))[:_MOST_LINES]
    for run, colour in zip(longest, _COLOURS, strict=False):
        some = runs[run]
        rates = [one.work["messages"] / one.seconds for one in some]
        panel.plot(
            rates, [1e6 * one.cpu_s / one.work["messages"] for one in some], "o", color=colour, label=run
        )
        predicted = [
            1e6
            * result.model.busy("gateway", {name: units / one.seconds for name, units in one.work.items()})
            / rate
            for one, rate in zip(some, rates, strict=True)
        ]
        panel.plot(rates, predicted, color=colour, linewidth=0.9)
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="messages/s taken by a gateway",
        ylabel="CPU of a message, deliveries included, us",
    )
    panel.set_title("Measured (dots) and by the model (lines)", fontsize=9)
    panel.legend(fontsize=7, frameon=False)
    panel.spines[["top", "right"]].set_visible(False)


def _fits(panel: Axes, result: Result) -> None:
    for service, colour in zip(("gateway", "redis", "auth"), _COLOURS, strict=False):
        some = [one for one in result.verdict.errors if one.service == service]
        panel.plot(
            [one.measured for one in some], [one.predicted for one in some], "o", color=colour, label=service
        )
    ends = [one.measured for one in result.verdict.errors if one.measured < 1] or [0.01, 1.0]
    panel.plot([min(ends), max(ends)], [min(ends), max(ends)], color="#999999", linewidth=0.8)
    panel.set(xscale="log", yscale="log", xlabel="measured, cores", ylabel="predicted, cores")
    panel.set_title("Checks, on runs that the model was not fitted on", fontsize=9)
    panel.legend(fontsize=7, frameon=False)
    panel.spines[["top", "right"]].set_visible(False)
