"""The record of a run: JSON, from which the Markdown and the picture are generated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from roomwire_loadtest.faults.oracle import COUNTS
from roomwire_loadtest.kept import kept
from roomwire_loadtest.load.thresholds import FAILURES
from roomwire_loadtest.load.timeline import Second

_MOST_PAINFUL_MS: Final = 1_000.0


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """The load of the busiest generator process.

    Attributes:
        cpu: Its maximum share of a core.
        lag_ms: Its maximum delay.

    """

    cpu: float
    lag_ms: float


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run and its results."""

    scenario: str
    title: str
    date: str
    machine: dict[str, str]
    users: int
    seconds: float
    outcome: str
    void: list[str]
    broken: list[str]
    measured: dict[str, float]
    connections: dict[str, int]
    refreshed: int
    renewed: int
    acknowledged: int
    delivered: int
    recovered: int
    exchanged: list[str]
    """The replaced gateways, with the proof."""
    faults_s: list[tuple[float, float]]
    """When replacements of gateways began and ended, in seconds of the timeline."""
    generator: Generator
    timeline: list[Second]
    url: str = ""
    """The URL of the ingress."""
    failures: list[str] = []
    """Each failure with its reason and count."""

    def save(self, folder: Path) -> None:
        """Write `load.json`, and the files that are generated from it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "load.json").write_bytes(kept(self))
        (folder / "load.md").write_text(report(self), encoding="utf-8")
        draw(self, [folder / "load.svg", folder / "load.png"])

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read a record from JSON; raises `OSError` or `msgspec.DecodeError`."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


def report(record: Record) -> str:
    """Return a run in Markdown. Pure."""
    measured = record.measured
    times = [
        f"| {what} | {_ms(measured, what, 50)} | {_ms(measured, what, 99)} |"
        for what in ("connect", "delivery", "ack")
    ]
    by_transport = ", ".join(f"{count:,} by {name}" for name, count in sorted(record.connections.items()))
    facts = (
        f"{record.acknowledged:,} messages were acknowledged, {record.delivered:,} delivered; "
        f"{sum(record.connections.values()):,} connections ({by_transport}), {record.recovered:,} of them recovered; "
        f"{record.refreshed:,} tokens refreshed, {record.renewed:,} renewed in place."
    )
    at = f", at {record.url}" if record.url else ""
    lines = [
        f"# {record.title}: {record.outcome}",
        "",
        f"{record.date}, scenario `{record.scenario}`, {record.users:,} users, {record.seconds:g} s{at}.",
        "",
        facts,
        "",
        *_table(COUNTS, measured),
        *_table(FAILURES, measured),
        "| ms | p50 | p99 |",
        "|---|---|---|",
        *times,
        "",
        f"The generator used up to {record.generator.cpu:.0%} of a core, and was late by up to {record.generator.lag_ms:.0f} ms.",
        *([""] if record.exchanged else []),
        *(f"- {proof}" for proof in record.exchanged),
    ]
    for title, sentences in (("Void", record.void), ("Broken", record.broken), ("Failed", record.failures)):
        lines += [f"\n{title}:\n", *(f"- {sentence}" for sentence in sentences)] if sentences else []
    lines += ["", "![Second by second](load.svg)", ""]
    lines += [f"- {what}: {value}" for what, value in record.machine.items()]
    return "\n".join(lines) + "\n"


def _table(names: Sequence[str], measured: dict[str, float]) -> list[str]:
    """Return a row of counts with its head; a count that an older run lacks is a dash."""
    return [
        "| " + " | ".join(name.replace("_", " ") for name in names) + " |",
        "|" + "---|" * len(names),
        "| " + " | ".join(f"{measured[name]:g}" if name in measured else "-" for name in names) + " |",
        "",
    ]


def _ms(measured: dict[str, float], what: str, percent: int) -> str:
    value = measured.get(f"{what}_p{percent}_ms")
    return "not measured" if value is None else f"{value:.0f}"


def draw(record: Record, paths: Sequence[Path]) -> None:
    """Draw latency, deliveries and connections over time, each on its own axis; each path's extension selects its format."""
    seconds = range(len(record.timeline))
    # The figure is made without pyplot: nothing is shown, and nothing stays registered. The salt keeps SVGs identical.
    with mpl.rc_context({"svg.hashsalt": "roomwire", "font.size": 9}):
        figure = Figure(figsize=(11, 6.5), layout="constrained")
        above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
        for name, colour in (("p99_ms", "#d1495b"), ("p50_ms", "#2e4057")):
            values = [getattr(second, name) for second in record.timeline]
            above.plot(
                seconds,
                [float("nan") if value is None else value for value in values],
                color=colour,
                label=name[:3],
            )
        above.axhline(_MOST_PAINFUL_MS, color="#999999", linewidth=0.8, linestyle=":")
        above.set(yscale="log", ylabel="delivery, ms", title=f"{record.title}, {record.users:,} users")
        above.legend(fontsize=7, frameon=False, loc="upper right")
        middle.plot(seconds, [second.delivered for second in record.timeline], color="#66a182")
        middle.set(ylabel="deliveries/s", ylim=(0, None))
        # On the axis of deliveries, of which each client has many, a lost connection would be invisible.
        connected = [second.connected for second in record.timeline]
        below.plot(seconds, connected, color="#2e4057", drawstyle="steps-post")
        below.set(xlabel="s", ylabel="connected", ylim=(0, None))
        below.yaxis.get_major_locator().set_params(integer=True)
        for panel in (above, middle, below):
            panel.spines[["top", "right"]].set_visible(False)
            for began_s, ended_s in record.faults_s:
                panel.axvspan(began_s, ended_s, color="#edae49", alpha=0.25, linewidth=0)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=120, metadata=metadata)
