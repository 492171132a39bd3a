"""`roomwire new`: a folder with an application, its page, its tests, its image and its values for the chart.

The files are in `new_folder/`. Their names end with `.txt`, so that tools do not take them for code of the library. The command replaces
NAME in a file's name, and `$name`, `$label`, `$title` and `$version` in its text. The page gets the official JavaScript client of the
console of `roomwire dev`.
"""

import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from string import Template
from typing import Final

import click

from roomwire.app.commands.refusal import Refusal
from roomwire.app.dev.console import CLIENT, WEB, check_installed

MAX_NAME: Final = 40
"""Maximum length of a name, in characters. The name is also part of the names of Kubernetes objects, which have at most 63."""
_NAME: Final = re.compile(rf"[a-z](?:_?[a-z0-9]){{0,{MAX_NAME - 1}}}")
_FILES: Final = Path(__file__).parent / "new_folder"


@click.command("new")
@click.argument("name")
def new(name: str) -> None:
    """Write a new application into the folder NAME, which must not exist or must be empty.

    The folder has the application NAME.py, a page for browsers, tests, a Dockerfile, values for the chart, and a README.md with
    the commands to test, build and install it. NAME consists of lower-case letters, digits and single underscores.

    The status is 1 if the name cannot be used or the folder cannot be written.
    """
    _check(name)
    check_installed()
    folder = Path(name)
    files = dict(_written(name))
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise Refusal(f"the folder {name} is not empty: choose another name, or empty it first")
        folder.mkdir(exist_ok=True)
        for file, text in files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise Refusal(f"{name} exists and is not a folder: choose another name") from None
    except OSError as error:
        raise Refusal(f"the folder {name} cannot be written: {error.strerror}") from None
    for file in files:
        click.echo(folder / file)
    click.echo(f"Next: cd {name} && pytest. README.md has the other commands.")


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or keyword.iskeyword(name):
        raise Refusal(
            f"{name!r} cannot name an application: write a Python identifier of up to {MAX_NAME} lower-case letters, digits and "
            "single underscores that begins with a letter, such as board"
        )
    if name == "conftest" or name in sys.stdlib_module_names or _is_installed(name):
        raise Refusal(
            f"{name!r} is the name of a module that Python or pytest has already: choose another name"
        )


def _is_installed(name: str) -> bool:
    """Say whether the application would hide an installed module, because Python looks into the working directory first."""
    here = Path.cwd()
    elsewhere = [entry for entry in sys.path if entry and Path(entry).resolve() != here]
    return PathFinder.find_spec(name, elsewhere) is not None


def _written(name: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file of an application."""
    words: Mapping[str, str] = {
        "name": name,
        "label": name.replace("_", "-"),
        "title": "".join(word.capitalize() for word in name.split("_")),
        "version": metadata.version("roomwire"),
    }
    for file in sorted(_FILES.rglob("*.txt")):
        text = Template(file.read_text(encoding="utf-8")).substitute(words)
        yield str(file.relative_to(_FILES)).removesuffix(".txt").replace("NAME", name), text
    yield f"page/{CLIENT}", (WEB / CLIENT).read_text(encoding="utf-8")
