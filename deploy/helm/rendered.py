"""The rendering of all cases, as files that show changes in a review. `make render` writes them, and a test compares them.

A file contains one object: first as rendered by the first case that has it, then the differences of other cases, each with
the digest of its bytes. `objects.txt` lists the objects of each case. The text of the chart's own files, such as a script
or a dashboard, is replaced by the file's name. Nothing else is left out. Values that are derived from other content,
such as a Job's name and `checksum/config`, are the same wherever that content is.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from cases import CASES, Case
from helm_template import CHART, ROOT, template

FOLDER = ROOT / "deploy/helm/tests/rendered"
_NAMED = re.compile(r"^kind: (\S+)\nmetadata:\n(?:  #.*\n)*  name: (\S+)$", re.MULTILINE)
Objects = Mapping[str, str]
"""The text of each object of a release by its path, such as `gateway/deployment`."""


def objects(case: Case) -> Objects:
    """Return the objects of a case: each object's bytes, without the comment that names its template."""
    printed = template(case.values, *case.options, release=case.release, namespace=case.namespace)
    texts = [text for _, text in sources(printed)]
    names = [(one.group(1), one.group(2)) for text in texts if (one := _NAMED.search(text))]
    (full_name,) = {
        name.removesuffix("-gateway")
        for kind, name in names
        if (kind, name[-8:]) == ("Deployment", "-gateway")
    }
    found = {
        _path(kind, name.removeprefix(full_name).removeprefix("-")): _without_files(text)
        for (kind, name), text in zip(names, texts, strict=True)
    }
    if len(found) != len(texts):
        raise SystemExit("two objects of the chart would be kept in one file")
    return dict(sorted(found.items()))


def sources(printed: str) -> Iterator[tuple[str, str]]:
    """Yield each object that Helm printed: the path of its template, and its text.

    Blank lines behind an object are not part of it: Helm 4 prints them, and Helm 3 does not.
    """
    for document in re.split(r"^---\n", printed, flags=re.MULTILINE)[1:]:
        source, _, text = document.removeprefix("# Source: roomwire/").partition("\n")
        yield source, text.rstrip() + "\n"


def _path(kind: str, name: str) -> str:
    """Return the path of an object's file: its name without the release's name, and its kind."""
    if kind == "Job":
        name = re.sub(r"-\d+-[0-9a-f]{6}$", "", name)
    return f"{name or 'release'}/{kind.lower()}"


def _without_files(text: str) -> str:
    """Replace the text of the chart's own files by the files' names."""
    for name, copied in _chart_files().items():
        text = text.replace(f": |{copied}\n", f": | <{name}>\n")
    return text


@cache
def _chart_files() -> Mapping[str, str]:
    """Return the text of each of the chart's files, as a ConfigMap contains it."""
    return {
        str(path.relative_to(CHART)): "".join(
            f"\n    {line}" for line in path.read_text("utf-8").strip().split("\n")
        )
        for folder in ("files", "dashboards")
        for path in sorted((CHART / folder).iterdir())
        if path.is_file()
    }


def files() -> dict[Path, str]:
    """Return the content of each file in the folder."""
    rendered = {name: objects(case) for name, case in CASES.items()}
    paths = sorted({path for found in rendered.values() for path in found})
    kept = {FOLDER / "objects.txt": _index(rendered)}
    for path in paths:
        texts = {name: found[path] for name, found in rendered.items() if path in found}
        kept[FOLDER / f"{path}.txt"] = _versions(texts)
    return kept


def _index(rendered: Mapping[str, Objects]) -> str:
    """Return which objects each case renders: all of them for the first case, the differences for the others."""
    (first, basis), *others = rendered.items()
    lines = [f"# {first}", *basis]
    for name, found in others:
        lines += ["", f"# {name}"]
        lines += [f"+{path}" for path in found if path not in basis]
        lines += [f"-{path}" for path in basis if path not in found]
    return "\n".join(lines) + "\n"


def _versions(texts: Mapping[str, str]) -> str:
    """Return an object's text in the first case, and its differences in other cases."""
    (first, basis), *_ = texts.items()
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text, []).append(name)
    del names[basis]
    changes = (
        f"\n# {', '.join(of)} (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})\n{_difference(basis, text)}"
        for text, of in names.items()
    )
    return f"# {first}\n{basis}{''.join(changes)}"


def _difference(basis: str, text: str) -> str:
    """Return the lines that differ, without line numbers, which would change with each line above."""
    lines = difflib.unified_diff(basis.splitlines(), text.splitlines(), n=1, lineterm="")
    return "".join(f"{'@@' if line.startswith('@@') else line}\n" for line in [*lines][2:])
