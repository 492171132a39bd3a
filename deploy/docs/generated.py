"""Writes what documents show of the code and of kept results: `make docs`.

`docs/settings.md` comes from the settings of both services, and the tables of the benchmark in README.md and
`docs/verification.md` come from the reports in `loadtest/results`. `deploy/docs/tests/test_generated.py` fails when a page is not
what this program writes.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from roomwire.serving.settings import ServiceSettings, Setting
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "loadtest" / "results"
SETTINGS: Final = ROOT / "docs" / "settings.md"
README: Final = ROOT / "README.md"
VERIFICATION: Final = ROOT / "docs" / "verification.md"

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
    for page in (README, VERIFICATION):
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
    for setting in settings.listing():
        name = setting.variable.removeprefix("ROOMWIRE_")
        if (name.lower() in _SHARED) is shared:
            yield _row(setting, _value(settings, name.lower()))


def _row(setting: Setting, value: str) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    meaning = _PAGE.sub(r"[\1](\1.md)", setting.description)
    return f"| `{setting.variable}` | {default} | {value} | {meaning} |"


def _value(settings: type[ServiceSettings], name: str) -> str:
    """Return the unit of a setting and the range that it may have."""
    field = settings.model_fields[name]
    schema = settings.model_json_schema()["properties"][name]
    kinds = [schema, *schema.get("anyOf", ())]
    if any(kind.get("format") == "password" for kind in kinds):
        return "secret"
    if field.annotation is bool:
        return "`true` or `false`"
    if choices := [choice for kind in kinds for choice in kind.get("enum", ())]:
        return ", ".join(f"`{choice}`" for choice in choices)
    units = (unit for ending, unit in _UNITS.items() if f"_{name.upper()}".endswith(f"_{ending}"))
    return ", ".join(part for part in (next(units, ""), _range(schema)) if part)


def _range(schema: dict[str, object]) -> str:
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
        "benchmark": "\n".join(single),
        "benchmark-nodes": "\n".join(several),
        "benchmark-nodes-again": "\n".join(nodes),
        "benchmark-six": "\n".join(single[:8]),
        "benchmark-nodes-two": "\n".join(several[:4]),
    }


def _first_tables(report: Path, count: int) -> list[list[str]]:
    """Return the first tables of a report, with medians alone."""
    blocks = re.findall(r"(?:^\|.*\n)+", report.read_text(encoding="utf-8"), re.MULTILINE)
    return [list(_medians(block.splitlines())) for block in blocks[:count]]


def _medians(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield _BOUNDS.sub("", line)


if __name__ == "__main__":
    main()
