"""Writes the map of the code into CONTRIBUTING.md, from the first lines of the modules' docstrings: `make map`.

Packages of the library stand in the order of their layers, which the import contracts in pyproject.toml hold: each imports
only from packages further down. `services/roomwire/tests/test_map.py` fails when the map is not what this writes.
"""

import ast
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "CONTRIBUTING.md"
LIBRARY: Final = ROOT / "services" / "roomwire" / "src" / "roomwire"
SERVICES: Final = (
    ROOT / "services" / "gateway" / "src" / "roomwire_gateway",
    ROOT / "services" / "auth" / "src" / "roomwire_auth",
)
_BEGIN: Final = "<!-- map: written by services/map.py -->\n"
_END: Final = "<!-- end of the map -->\n"


def main() -> None:
    """Write the map."""
    PAGE.write_text(with_map(PAGE.read_text()))


def with_map(page: str) -> str:
    """Return the page with the map of the code as it is now."""
    before, rest = page.split(_BEGIN)
    return before + _BEGIN + written() + _END + rest.split(_END)[1]


def written() -> str:
    """Return the map."""
    lines = ["| part | owns | modules |", "|---|---|---|"]
    lines += [_row(LIBRARY / name) for name in _layers()]
    lines += [_row(package) for package in SERVICES]
    return "\n".join(lines) + "\n"


def _layers() -> list[str]:
    """Return the library's packages and modules, highest first, as the import contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["roomwire"])
    return [name for layer in layers for name in layer.split(" | ") if name != "__main__"]


def _row(place: Path) -> str:
    if not place.is_dir():
        place = place.with_suffix(".py")
        return f"| `{place.name}` | {_first_line(place)} | |"
    return f"| `{place.name}/` | {_first_line(place / '__init__.py')} | {_modules(place)} |"


def _modules(package: Path) -> str:
    names = [f"`{file.stem}`" for file in sorted(package.glob("*.py")) if file.stem[:2] != "__"]
    inner = [
        f"`{folder.name}/` ({_modules(folder)})" if _modules(folder) else f"`{folder.name}/`"
        for folder in sorted(package.iterdir())
        if (folder / "__init__.py").exists()
    ]
    return ", ".join([*names, *inner])


def _first_line(module: Path) -> str:
    documented = ast.get_docstring(ast.parse(module.read_text())) or ""
    return documented.split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    main()
