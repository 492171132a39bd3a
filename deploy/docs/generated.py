"""Writes what documents show of the code and of kept results: `make docs`.

`docs/settings.md` comes from the settings of both services, and the tables of the benchmark in README.md and
`docs/verification.md` come from the reports in `loadtest/results`, and so does that beside python-socketio on Redis in
`docs/drop-in.md`. The differences in `docs/drop-in.md` come from the differential
tests. `deploy/docs/tests/test_generated.py` fails when a page is not
what this program writes.
"""

import re
import runpy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from roomwire.serving.settings import ServiceSettings, Setting
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings
from roomwire_loadtest.bench.report.lines import LESS_IS_BETTER, NAMES, show
from roomwire_loadtest.bench.results import Run
from roomwire_loadtest.usage import AT_REST

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "loadtest" / "results"
SETTINGS: Final = ROOT / "docs" / "settings.md"
README: Final = ROOT / "README.md"
VERIFICATION: Final = ROOT / "docs" / "verification.md"
DROP_IN: Final = ROOT / "docs" / "drop-in.md"
DIFFERENCES: Final = ROOT / "services" / "roomwire" / "tests" / "differential" / "differences.py"

BESIDE_STOCK: Final = ("stock-nodes", "replaced-nodes", "ours-nodes")
"""The servers of the table in `docs/drop-in.md`; the others are compared with the first."""

_MARKED: Final = re.compile(r"(<!-- written: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_PAGE: Final = re.compile(r"\bdocs/([\w-]+)\.md")
_BOUNDS: Final = re.compile(r" \([^()]* to [^()]*\)")
_SHARED: Final = frozenset(ServiceSettings.model_fields) - {"port", "ops_port"}
_UNITS: Final = {
    "BYTES": "bytes",
    "KIB": "KiB",
    "PER_S": "per second",
    "S": "seconds",
    "PORT": "port",
    "URL": "URL",
    "FILE": "path",
}
"""The unit of a setting by the end of its name; the first match counts."""

_SETTINGS_HEAD: Final = """# Settings

This page is written by `make docs` from the settings of the two services.

- A setting is an environment variable. `python -m roomwire_gateway --help` and `python -m roomwire_auth --help` list the
  settings of a service, and `check-config` prints the values in force with secrets masked.
- A wrong value stops the service with one sentence and a non-zero exit code.
- A variable that begins with `ROOMWIRE_` and is a setting of neither service is refused with the nearest known name. Kubernetes
  sets such variables for Services (service links). They are ignored unless one has the name of a setting; in that case set
  `enableServiceLinks: false` in the pod. The chart's pods do not need it.
- The file that `X_FILE` names can hold the value of a secret setting `X`. Those settings have "secret" in the column "value".
- The column "value" gives the unit and the allowed range. Where `0` or an empty value switches something off, the last column
  says so.
"""


def main() -> None:
    """Write the pages."""
    SETTINGS.write_text(settings_page(), encoding="utf-8")
    for page in (README, VERIFICATION, DROP_IN):
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


def settings_page() -> str:
    """Return `docs/settings.md`."""
    parts = [
        ("Settings of both services", _rows(GatewaySettings, shared=True)),
        ("Settings of the gateway", _rows(GatewaySettings, shared=False)),
        ("Settings of the auth service", _rows(AuthSettings, shared=False)),
    ]
    tables = (
        "\n".join(
            [f"## {title}", "", "| variable | default | value | meaning |", "|---|---|---|---|", *rows, ""]
        )
        for title, rows in parts
    )
    return "\n".join([_SETTINGS_HEAD, *tables])


def with_tables(page: str) -> str:
    """Return a page with the tables between its marks as the kept results have them."""
    tables = _tables()
    return _MARKED.sub(lambda found: f"{found[1]}{tables[found[2]]}\n{found[3]}", page)


def _rows(settings: type[ServiceSettings], *, shared: bool) -> Iterator[str]:
    schemas = settings.model_json_schema()["properties"]
    for setting in settings.listing():
        name = setting.variable.removeprefix("ROOMWIRE_")
        if (name.lower() in _SHARED) is shared:
            yield _row(setting, _value(settings, name.lower(), schemas[name.lower()]))


def _row(setting: Setting, value: str) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    meaning = _PAGE.sub(r"[\1](\1.md)", setting.description)
    return f"| `{setting.variable}` | {default} | {value} | {meaning} |"


def _value(settings: type[ServiceSettings], name: str, schema: Mapping[str, Any]) -> str:
    """Return the unit of a setting and the range that it may have."""
    field = settings.model_fields[name]
    kinds = [schema, *schema.get("anyOf", ())]
    if any(kind.get("format") == "password" for kind in kinds):
        return "secret"
    if field.annotation is bool:
        return "`true` or `false`"
    if choices := [choice for kind in kinds for choice in kind.get("enum", ())]:
        return ", ".join(f"`{choice}`" for choice in choices)
    units = (unit for ending, unit in _UNITS.items() if f"_{name.upper()}".endswith(f"_{ending}"))
    return ", ".join(part for part in (next(units, ""), _range(schema)) if part)


def _range(schema: Mapping[str, Any]) -> str:
    least, above, most = (schema.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    low = f"above {_number(above)}" if above is not None else "" if least is None else _number(least)
    if most is None:
        return low if above is not None or not low else f"{low} or more"
    return f"{low} to {_number(most)}" if above is None else f"{low}, {_number(most)} at most"


def _number(value: object) -> str:
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def _tables() -> dict[str, str]:
    single, several = _first_tables(RESULTS / "bench.md", 2)
    (nodes,) = _first_tables(RESULTS / "nodes.md", 1)
    return {
        "benchmark-drop-in": "\n".join(_beside_stock()),
        "differences": "\n".join(_differences()),
        "benchmark": "\n".join(single),
        "benchmark-nodes": "\n".join(several),
        "benchmark-nodes-again": "\n".join(nodes),
        "benchmark-six": "\n".join(single[:8]),
        "benchmark-nodes-two": "\n".join(several[:4]),
    }


def _beside_stock() -> Iterator[str]:
    """Yield the table beside python-socketio on two nodes with Redis, and below it how it was measured."""
    run = Run.load(RESULTS / "drop-in.json")
    stock, *others = BESIDE_STOCK
    rows = [row for row in NAMES if run.median(row, stock) or any(run.median(row, name) for name in others)]
    yield f"| two nodes and their Redis, one core | {' | '.join(run.servers[name] for name in BESIDE_STOCK)} |"
    yield "|---|" + "---|" * len(BESIDE_STOCK)
    for row in rows:
        cells = [_beside(run, row, name) for name in BESIDE_STOCK]
        yield f"| {NAMES[row]} | {' | '.join(cells)} |"
    others_cpu = max(figure.others_cpu for figure in run.figures)
    fewest = min(len(run.values(row, name)) for row in rows for name in BESIDE_STOCK if run.median(row, name))
    several = f"{fewest} to {run.rounds}" if fewest < run.rounds else str(run.rounds)
    yield ""
    yield (
        f"Measured on {run.date[:10]}, in {several} round{'s, of which the medians count' * (run.rounds > 1)}"
        f"{', smaller and shorter than in a full run' * run.quick}; the factors compare with python-socketio. "
        f"Other programs used up to {others_cpu:.0%} of a core meanwhile"
        + (
            ": a disturbed run, whose rates are too low and whose factors are rough. The CPU of an operation does not "
            "count the time of other programs."
            if others_cpu > AT_REST
            else "."
        )
    )


def _beside(run: Run, row: str, server: str) -> str:
    value, stock = run.median(row, server), run.median(row, BESIDE_STOCK[0])
    if value is None:
        notes = sorted(
            {figure.note for figure in run.figures if (figure.row, figure.server) == (row, server)}
        )
        return "; ".join(notes) or "not measured"
    least = "≥ " * any(
        figure.at_least for figure in run.figures if (figure.row, figure.server) == (row, server)
    )
    if server == BESIDE_STOCK[0] or not stock:
        return least + show(row, value)
    if row not in LESS_IS_BETTER:
        return f"{least}{show(row, value)} ({value / stock:.1f}x)"
    factor = f"{stock / value:.1f}x less" if value <= stock else f"{value / stock:.1f}x more"
    return f"{show(row, value)} ({factor})"


def _differences() -> Iterator[str]:
    """Yield the lines of the table of what is meant to differ from python-socketio."""
    yield "| difference | reason |"
    yield "|---|---|"
    for difference, reason in runpy.run_path(str(DIFFERENCES))["DIFFERENCES"].items():
        named = re.sub(r"\bstock\b", "python-socketio", reason)
        yield f"| {_sentence(difference)} | {_sentence(named)} |"


def _sentence(text: str) -> str:
    text = text.replace("*", r"\*")
    return text if re.match(r"[\w.]*[._\d(]|python-", text.split()[0]) else text[0].upper() + text[1:]


def _first_tables(report: Path, count: int) -> list[list[str]]:
    """Return the first tables of a report, with medians alone."""
    blocks = re.findall(r"(?:^\|.*\n)+", report.read_text(encoding="utf-8"), re.MULTILINE)
    return [list(_medians(block.splitlines())) for block in blocks[:count]]


def _medians(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield _BOUNDS.sub("", line)


if __name__ == "__main__":
    main()
