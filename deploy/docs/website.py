"""Builds the documentation site: `make site`, into `artifacts/site`.

The pages are laid out as in the repository, so that links work in both. The navigation is the index (`docs/index.md`), and the API
reference is generated from docstrings. The generator has its own environment (`requirements/docs.txt`). A warning, such as one about a
broken link, fails the build.
"""

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from documents import DOCUMENTS, ROOT, links

import roomwire

SITE: Final = ROOT / "artifacts" / "site"
ZENSICAL: Final = ROOT / ".venv" / "docs" / "bin" / "zensical"
INDEX: Final = ROOT / "docs" / "index.md"
PROJECT: Final = {
    "README": "README.md",
    "Changelog": "CHANGELOG.md",
    "Contributing": "CONTRIBUTING.md",
    "Security": "SECURITY.md",
    "Code of conduct": "CODE_OF_CONDUCT.md",
}
REFERENCE: Final = {
    "Applications": ["roomwire.app.app.App"],
    "Server": ["roomwire.server.server.Server"],
    "Gateways": [
        "roomwire.gateways.gateway.Gateway",
        "roomwire.gateways.binding.subscribe",
        "roomwire.gateways.declared.emits",
        "roomwire.gateways.socket.Socket",
        "roomwire.gateways.binding.Key",
        "roomwire.identity.tokens.User",
        "roomwire.rooms.users.user_room",
        "roomwire.log.kept.Keep",
        "roomwire.log.kept.Said",
        "roomwire.history.contract.Recalled",
        "roomwire.gateways.memberships.PresenceChange",
    ],
    "Around a call": [
        "roomwire.gateways.chain.Call",
        "roomwire.gateways.chain.Guard",
        "roomwire.gateways.chain.Interceptor",
        "roomwire.gateways.chain.Proceed",
        "roomwire.gateways.chain.Filter",
        "roomwire.gateways.chain.mark",
        "roomwire.gateways.pipes.Pipe",
        "roomwire.gateways.chain.Ack",
        "roomwire.gateways.chain.Reply",
    ],
    "Testing": [
        "roomwire.testing.cluster.Cluster",
        "roomwire.testing.client.Client",
        "roomwire.testing.client.Event",
        "roomwire.testing.nodes.Node",
        "roomwire.testing.errors",
        "roomwire.testing.loop.VirtualLoop",
    ],
    "Clients": ["roomwire.client.async_client.AsyncClient", "roomwire.client.threaded_client.Client"],
    "Emitters": ["roomwire.log.emitter.Emitter", "roomwire.log.emitter.AsyncEmitter"],
    "Errors": ["roomwire.errors"],
    "Results of calls to all nodes": ["roomwire.cluster.results"],
    "Limits": ["roomwire.limits.client.Limits"],
    "The log": ["roomwire.log.opening.open_log"],
}
"""The pages of the API reference; a test holds that every name that `roomwire` exports is on one of them."""

_LINKED: Final = re.compile(r"^\| \[([^\]]+)\]\(([^)]+)\)", re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the site; returns the exit status of the generator."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zensical", type=Path, default=ZENSICAL, help="the generator's program")
    parser.add_argument(
        "--into", type=Path, default=SITE, help="the folder of the site; what is in it is deleted"
    )
    options = parser.parse_args(arguments)
    source = options.into.parent / f"{options.into.name}-source"
    lay_out(source)
    status = build(source, zensical=options.zensical)
    shutil.rmtree(options.into, ignore_errors=True)
    if status == 0:
        (source / "site").rename(options.into)
    return status


def lay_out(source: Path) -> None:
    """Write the pages, the files that they link to, and the configuration into a folder."""
    shutil.rmtree(source, ignore_errors=True)
    pages = source / "pages"
    wanted = {
        *DOCUMENTS,
        *(link.target for document in DOCUMENTS for link in links(document) if link.target.is_file()),
    }
    for file in sorted(wanted):
        place = pages / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    for title, names in REFERENCE.items():
        place = pages / reference_page(title)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n".join([f"# {title}", "", *(f"::: {name}" for name in names), ""]))
    # The front page of the site.
    shutil.copyfile(ROOT / "README.md", pages / "index.md")
    (source / "zensical.toml").write_text(configuration())


def reference_page(title: str) -> str:
    """Return the path of a page of the API reference."""
    return f"reference/{title.lower().replace(' ', '-')}.md"


def build(source: Path, *, zensical: Path) -> int:
    """Run the generator and show its output; returns its exit status, or 1 if a docstring does not fit its function."""
    command: list[str | Path] = [zensical, "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, end="")
    # The generator prints the complaints of griffe, which reads docstrings, but does not fail for them.
    return done.returncode or int("griffe: " in done.stdout + done.stderr)


def configuration() -> str:
    """Return the generator's configuration."""
    sources = [str(path) for path in sorted((ROOT / "services").glob("*/src"))]
    return f"""[project]
site_name = "Roomwire"
site_description = "Socket.IO for Python that scales horizontally and loses no messages."
docs_dir = "pages"
site_dir = "site"
nav = [{", ".join(_nav())}]

[project.theme]
features = ["navigation.sections", "navigation.top", "search.highlight", "content.code.copy"]

[project.markdown_extensions.tables]
[project.markdown_extensions.attr_list]
[project.markdown_extensions.admonition]
[project.markdown_extensions.toc]
permalink = true
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.superfences]
custom_fences = [{{ name = "mermaid", class = "mermaid", format = "pymdownx.superfences.fence_code_format" }}]

[project.plugins.mkdocstrings.handlers.python]
paths = {json.dumps(sources)}
[project.plugins.mkdocstrings.handlers.python.options]
show_source = false
show_root_heading = true
docstring_style = "google"
"""


def _nav() -> Iterator[str]:
    yield _entry("Roomwire", "index.md")
    for section in INDEX.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        yield _group(title, {name: _place(target) for name, target in _LINKED.findall(text)})
    yield _group("API reference", {title: reference_page(title) for title in REFERENCE})
    yield _group("Project", PROJECT)


def _place(target: str) -> str:
    return (INDEX.parent / target).resolve().relative_to(ROOT).as_posix()


def _group(title: str, pages: dict[str, str]) -> str:
    return f"{{ {json.dumps(title)} = [{', '.join(_entry(*page) for page in pages.items())}] }}"


def _entry(title: str, page: str) -> str:
    return f"{{ {json.dumps(title)} = {json.dumps(page)} }}"


def exported() -> set[str]:
    """Return the full names of what `roomwire` exports."""
    return {_full_name(name) for name in roomwire.__all__}


def _full_name(name: str) -> str:
    found = getattr(roomwire, name)
    if found.__module__.startswith("roomwire."):
        return f"{found.__module__}.{found.__qualname__}"
    # The name of a type that is a function: to Python it is a Callable. It is found on the page that has it.
    pages = (page for pages in REFERENCE.values() for page in pages)
    return next((page for page in pages if page.endswith(f".{name}")), name)


if __name__ == "__main__":
    raise SystemExit(main())
