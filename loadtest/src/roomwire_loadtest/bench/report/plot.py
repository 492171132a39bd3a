"""The plots of a run: a panel of bars for each row, and latency over rate for the two rows that have one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from roomwire_loadtest.bench.report.lines import LESS_IS_BETTER, NAMES, show
from roomwire_loadtest.bench.results import KEPT_UP_P99_MS, Run
from roomwire_loadtest.bench.rows.rooms import ROOM_SIZES

_COLOURS: Final = {
    "ours": "#d1495b",
    "stock": "#8d96a3",
    "node-ws": "#66a182",
    "node-uws": "#2e4057",
    "bun": "#edae49",
    "centrifuge": "#00798c",
    "ours-nodes": "#d1495b",
    "stock-nodes": "#8d96a3",
    "replaced-nodes": "#00798c",
    "node-redis": "#66a182",
    "node-sharded": "#2e4057",
    "node-streams": "#edae49",
}
_COLUMNS: Final = 3


def plot(run: Run, paths: Sequence[Path]) -> None:
    """Draw all panels into one picture; each path's extension selects its format."""
    bars = [row for row in NAMES if any(run.median(row, server) is not None for server in run.servers)]
    curves = [row for row in ROOM_SIZES if any(run.rates(row, server) for server in run.servers)]
    count = len(bars) + len(curves)
    if not count:
        return
    lines = -(-count // _COLUMNS)
    # The figure is made without pyplot: nothing is shown, and nothing stays registered. The salt keeps SVGs identical.
    with mpl.rc_context({"svg.hashsalt": "roomwire", "font.size": 9}):
        figure = Figure(figsize=(5.2 * _COLUMNS, 3.2 * lines), layout="constrained")
        panels = figure.subplots(lines, _COLUMNS, squeeze=False).flatten().tolist()
        for row in bars:
            _bars(panels.pop(0), run, row)
        for row in curves:
            _curves(panels.pop(0), run, row)
        for panel in panels:
            panel.set_axis_off()
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=120, metadata=metadata)


def _bars(panel: Axes, run: Run, row: str) -> None:
    names = [server for server in reversed(run.servers) if run.median(row, server) is not None]
    values = [run.median(row, server) or 0.0 for server in names]
    spread = [
        [value - min(run.values(row, server)) for server, value in zip(names, values, strict=True)],
        [max(run.values(row, server)) - value for server, value in zip(names, values, strict=True)],
    ]
    drawn = panel.barh(
        [run.servers[server].replace(" on ", "\non ") for server in names],
        values,
        xerr=spread if run.rounds > 1 else None,
        color=[_COLOURS[server] for server in names],
        error_kw={"elinewidth": 0.8, "capsize": 2},
    )
    panel.bar_label(drawn, [f" {show(row, value)}" for value in values], padding=2)
    panel.set_title(NAMES[row] + (" (less is better)" if row in LESS_IS_BETTER else ""), fontsize=9)
    panel.margins(x=0.25)
    panel.xaxis.set_visible(False)
    panel.spines[["top", "right", "bottom"]].set_visible(False)


def _curves(panel: Axes, run: Run, row: str) -> None:
    for server in run.servers:
        rates = run.rates(row, server)
        if rates:
            panel.plot(
                [rate * ROOM_SIZES[row] for rate in rates],
                [run.latency_ms(row, server, rate, 99) or 0.0 for rate in rates],
                marker="o",
                markersize=3,
                color=_COLOURS[server],
                label=run.servers[server],
            )
    panel.axhline(KEPT_UP_P99_MS, color="#999999", linewidth=0.8, linestyle=":")
    panel.set(xscale="log", yscale="log", xlabel="deliveries/s", ylabel="p99, ms")
    # Space on the right for the names.
    left, right = panel.get_xlim()
    panel.set_xlim(left, right * (right / left) ** 0.5)
    panel.set_title(f"{NAMES[row].rpartition(',')[0]}: p99 over rate", fontsize=9)
    panel.legend(fontsize=6, frameon=False, loc="upper right", bbox_to_anchor=(1.0, 0.95))
    panel.spines[["top", "right"]].set_visible(False)
