"""The report of a run, in Markdown. Pure: it depends on the `Run` alone, so it can be written again from the JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from roomwire_loadtest.bench.report.lines import NAMES, lines, show
from roomwire_loadtest.bench.results import (
    GENERATOR_LIMIT,
    KEPT_UP_P99_MS,
    KEPT_UP_SHARE,
    Figure,
    Point,
    Run,
    Verdict,
)
from roomwire_loadtest.bench.rows.rooms import FIXED, ROOM_SIZES
from roomwire_loadtest.usage import AT_REST

_REACHED: Final = {True: "yes", False: "**no**", None: "?"}


def report(run: Run, *, plot_file: str) -> str:
    """Return the report; `plot_file` is the name of the plot beside it."""
    parts: list[Iterable[str]] = [
        _head(run),
        *(_figures(run, title, rows) for title, rows in _groups(run)),
        [f"Absent: {run.servers[name]}: {' '.join(reason.split())}\n" for name, reason in run.absent.items()],
        *(_latencies(run, row) for row in FIXED if any(point.row == row for point in run.points)),
        _lines(run),
        *(_generator(run, rows) for _, rows in _groups(run)),
        _others(run),
        [f"![The same as bars and curves]({plot_file})"],
        _machine(run),
    ]
    return "\n\n".join(text for part in parts if (text := "\n".join(part).strip())) + "\n"


def _head(run: Run) -> Iterator[str]:
    yield "# Roomwire and others, side by side"
    yield ""
    yield (
        f"{run.date}, {run.rounds} round{'s' * (run.rounds > 1)}"
        f"{', quick: smaller and shorter, for a first look only' * run.quick}. "
        "One process on one core each, the generator on another, same machine, over loopback, in turns; texts "
        "of 64 bytes. Medians of the rounds (least to most). A rate was kept up with if at least "
        f"{KEPT_UP_SHARE:.0%} of what was due arrived, with a p99 below {KEPT_UP_P99_MS:.0f} ms, counted from "
        "the moment a message was due."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _groups(run: Run) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups of rows that compare the same servers, each with a description of these."""
    found = [row for row in NAMES if any(figure.row == row for figure in run.figures)]
    several = [row for row in found if set(run.beside(row)) & set(run.nodes)]
    alone = [row for row in found if row not in several]
    for title, rows in (("one process, one core", alone), ("nodes and their Redis, one core", several)):
        if rows:
            yield title, rows


def _labels(run: Run, row: str) -> list[str]:
    return [run.servers[name] for name in run.beside(row)]


def _figures(run: Run, title: str, rows: Sequence[str]) -> Iterator[str]:
    body = ([NAMES[row], *(_figure(run, row, server) for server in run.beside(row))] for row in rows)
    yield from _table([title, *_labels(run, rows[0])], body)


def _figure(run: Run, row: str, server: str) -> str:
    if server in run.absent:
        return "absent"
    found = [figure for figure in run.figures if (figure.row, figure.server) == (row, server)]
    values = run.values(row, server)
    notes = "; ".join(sorted({figure.note for figure in found if figure.note}))
    median = run.median(row, server)
    if median is None:
        return notes or "not measured"
    least, most = min(values), max(values)
    bounds = f" ({show(row, least)} to {show(row, most)})" if least != most else ""
    at_least = "≥ " if any(figure.at_least for figure in found) else ""
    return f"{at_least}{show(row, median)}{bounds}{f': {notes}' if notes else ''}"


def _latencies(run: Run, row: str) -> Iterator[str]:
    size = ROOM_SIZES[row]
    yield f"p50 / p99 in milliseconds, {NAMES[row].rpartition(',')[0].lower()}:"
    yield ""
    head = ["offered", *_labels(run, row)]
    body = []
    for rate in FIXED[row]:
        offered = f"{rate:,.0f} messages/s, {rate * size:,.0f} deliveries/s"
        body.append([offered, *(_latency(run, row, server, rate) for server in run.beside(row))])
    yield from _table(head, body)
    if any(_is_strained(point) for point in run.points if point.row == row):
        yield ""
        yield (
            f"* The generator used more than {GENERATOR_LIMIT:.0%} of its core: some of the delay is its own. "
            "VOID: it was at its limit before the server was."
        )


def _latency(run: Run, row: str, server: str, rate: float) -> str:
    if server in run.absent:
        return "absent"
    points = [
        point
        for point in run.points
        if (point.row, point.server, point.messages_per_s) == (row, server, rate)
    ]
    p50, p99 = (run.latency_ms(row, server, rate, percent) for percent in (50, 99))
    if p50 is None or p99 is None:
        return "VOID" if any(point.verdict is Verdict.VOID for point in points) else "cannot"
    return f"{p50:.1f} / {p99:.1f}{' *' * any(map(_is_strained, points))}"


def _is_strained(point: Point) -> bool:
    return point.generator_cpu > GENERATOR_LIMIT


def _lines(run: Run) -> Iterator[str]:
    yield "Lines to reach:"
    yield ""
    yield from _table(
        ["line", "found", "reached"],
        ([line.asked, line.found, _REACHED[line.is_reached]] for line in lines(run)),
    )


def _generator(run: Run, rows: Sequence[str]) -> Iterator[str]:
    yield "CPU at each figure, generator / server, in shares of a core (the highest of the rounds):"
    yield ""
    yield from _table(
        ["row", *_labels(run, rows[0])],
        ([NAMES[row], *(_shares(run, row, server) for server in run.beside(row))] for row in rows),
    )


def _others(run: Run) -> Iterator[str]:
    others = max((figure.others_cpu for figure in run.figures), default=0.0)
    disturbed = " **That is a disturbed run: measure again when nothing else is at work.**" * (
        others > AT_REST
    )
    yield f"Everything else on the machine used at most {others:.0%} of a core while a figure was taken.{disturbed}"


def _shares(run: Run, row: str, server: str) -> str:
    found: list[Figure] = [
        figure
        for figure in run.figures
        if (figure.row, figure.server) == (row, server) and figure.value is not None
    ]
    if not found:
        return ""
    generator = max(figure.generator_cpu for figure in found)
    serving = max(figure.server_cpu for figure in found)
    return f"{generator:.0%} / {serving:.0%}"


def _machine(run: Run) -> Iterator[str]:
    yield from (f"- {what}: {value}" for what, value in run.machine.items())
    yield from (f"- {run.servers[name]}: {versions}" for name, versions in run.versions.items())
