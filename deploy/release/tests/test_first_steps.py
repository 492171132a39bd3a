"""The README's lines for an application, followed literally: from an empty folder to two browsers over two gateways."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from browsers import chromium
from clients import js_clients
from developing import Developing
from notes_page import over_two_gateways, shows
from notes_page import write as write_note
from waiting import until

import build
from roomwire_e2e.readme import readme, written

pytestmark = [pytest.mark.release, pytest.mark.browser, pytest.mark.timeout(1800)]

PATIENCE_S = 600.0
WORDS_A_MINUTE = 200
SHOWN_URL = "http://localhost:3000"


class Program:
    """A program that runs until Ctrl-C, and its output."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def output(self) -> str:
        """The output so far."""
        return self.log.read_text(encoding="utf-8")

    async def says(self, pattern: str) -> None:
        """Wait until the output contains a match of a pattern."""

        def said() -> object:
            found = re.search(pattern, self.output)
            assert found or self.process.returncode is None, self.output
            return found

        await until(said, within_s=PATIENCE_S)

    async def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


class Reader:
    """A reader's terminal: each line runs in the folder and the environment that the previous line left.

    Attributes:
        folder: The working directory.
        took_s: The duration of each line.

    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.took_s: dict[str, float] = {}
        self._environ = dict(environ)
        self._logs = folder.parent / "logs"
        self._logs.mkdir()

    async def run(self, line: str, **words: str) -> str:
        """Run a line to its end, which must be successful; returns its output.

        Args:
            line: The line as the README shows it.
            words: The reader's values for its placeholders.

        """
        left = self._logs / "environment"
        script = f'set -e\n{written(line, words)}\n{{ pwd; env -0; }} > "{left}"'
        with self.timed(line):
            program = await self._start(script)
            async with asyncio.timeout(PATIENCE_S):
                status = await program.process.wait()
        assert status == 0, program.output
        folder, _, variables = left.read_text(encoding="utf-8").partition("\n")
        self.folder = Path(folder)
        self._environ = dict(pair.split("=", 1) for pair in variables.split("\0") if pair)
        return program.output

    @contextlib.asynccontextmanager
    async def running(self, line: str, **environ: str) -> AsyncIterator[Program]:
        """Run a line until the context ends, then press Ctrl-C; the exit status has to be 0."""
        program = await self._start(f"exec {line}", environ)
        try:
            yield program
        finally:
            status = await program.interrupt()
        assert status == 0, program.output

    @contextlib.contextmanager
    def timed(self, line: str) -> Iterator[None]:
        """Measure the duration of a line."""
        began = time.monotonic()
        yield
        self.took_s[line.partition("  #")[0].rstrip()] = time.monotonic() - began

    async def _start(self, script: str, environ: Mapping[str, str] = {}) -> Program:
        log = self._logs / f"{len([*self._logs.iterdir()])}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                script,
                cwd=self.folder,
                env={**self._environ, **environ},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Program(process, log)


@pytest.fixture
def reader(lock, tmp_path, starts_servers) -> Reader:
    """A reader in an empty folder, with this Python and the locked versions of other projects' packages."""
    folder, pins = tmp_path / "empty", tmp_path / "pins.txt"
    folder.mkdir()
    # With hashes in the file, pip would require them of the release's own packages as well.
    locked = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?(==[^\s;]+)", lock.read_text(), re.MULTILINE)
    pins.write_text("".join(f"{name}{version}\n" for name, version in {*locked}))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ROOMWIRE_", "PYTHON"))}
    own.pop("VIRTUAL_ENV", None)
    path = os.pathsep.join([str(Path(sys.base_prefix) / "bin"), own["PATH"]])
    return Reader(folder, own | {"PATH": path, "PIP_CONSTRAINT": str(pins)})


async def test_the_readmes_lines_lead_from_an_empty_folder_to_two_browsers_over_two_gateways(
    release, reader, free_port_factory, chromium_path, capsys
):
    lines = readme()
    (environment, install, new, tests, check, dev, up), (tail, write), _ = lines.blocks

    await reader.run(environment)
    await reader.run(install, DIST=str(release))
    assert {build.project(package)["name"] for package in build.PACKAGES} == installed_from(release, reader)
    await reader.run(new)
    assert "board" == reader.folder.name
    assert "4 passed" in await reader.run(tests)
    assert "namespace /: write" in await reader.run(check)
    await develop(reader, dev, free_port_factory(), free_port_factory())
    await share(reader, (up, tail, write), free_port_factory(), chromium_path)

    with capsys.disabled():
        print(f"\n{summary(reader.took_s, lines.words)}")


def installed_from(release: Path, reader: Reader) -> set[str]:
    """Return the names of the packages that were installed from the folder of the release."""
    packages = (reader.folder / ".venv").glob("lib/python*/site-packages/*.dist-info/direct_url.json")
    urls = {path.parent.name.partition("-")[0]: json.loads(path.read_text())["url"] for path in packages}
    return {name.replace("_", "-") for name, url in urls.items() if url.startswith(release.as_uri())}


async def develop(reader: Reader, line: str, port: int, console_port: int) -> None:
    """Open the console, use the application, save a change, and use the changed application."""
    command = line.partition("#")[0] + f"--console-port {console_port}"
    application = reader.folder / "board.py"
    saved = application.read_text(encoding="utf-8")
    note = {"text": "hello"}
    async with (
        contextlib.AsyncExitStack() as afterwards,
        reader.running(command, ROOMWIRE_PORT=str(port)) as program,
        js_clients() as clients,
        httpx.AsyncClient(trust_env=False, follow_redirects=True) as http,
    ):
        with reader.timed(line):
            developed = Developing(program.process, (port, console_port), program.log)
            afterwards.push_async_callback(developed.close)
            assert "<title>" in (await http.get(await developed.link())).text
            await developed.enter()
            await developed.serving()
            options = {"transports": ["websocket"], "auth": {"token": await developed.token("Ann")}}
            first = await clients.connect(f"http://{developed.address}", **options)
            assert note == await first.emit("write", note)
            application.write_text(saved.replace("return note", 'return Note("new code")'), encoding="utf-8")
            await developed.serving(start=2)
            second = await clients.connect(f"http://{developed.address}", **options)
            assert {"text": "new code"} == await second.emit("write", note)
    application.write_text(saved, encoding="utf-8")


async def share(reader: Reader, lines: Sequence[str], port: int, chromium_path: str | None) -> None:
    """Let clients of the whole system receive each other's notes: two browsers on two gateways, and two terminals."""
    up, tail, write = lines
    url = f"http://localhost:{port}"
    here = {SHOWN_URL: url}
    async with chromium(chromium_path) as browser, reader.running(up, PORT=str(port)) as system:
        with reader.timed(up):
            await system.says(r"Ctrl-C stops it\.")
            ann, ben = await over_two_gateways(browser, url)
            await write_note(ann, "to the other gateway")
            await shows(ben, "to the other gateway")
        async with reader.running(written(tail, here)) as first:
            await first.says("connected on gateway-[12] as")
            with reader.timed(write):
                async with reader.running(written(write, here)) as second:
                    for terminal in (first, second):
                        await terminal.says(r'"event":"written","args":\[\{"text":"Hello, Ben!"\}')
        for page in (ann, ben):
            await shows(page, "to the other gateway", "Hello, Ben!")


def summary(took_s: Mapping[str, float], words: int) -> str:
    """Return how long a reader takes to follow the lines on this machine; no check depends on it."""
    commands_s, reading_s = sum(took_s.values()), words / WORDS_A_MINUTE * 60
    return "\n".join(
        [
            *(f"{seconds:6.1f} s  {line}" for line, seconds in took_s.items()),
            f"{commands_s:6.1f} s  all of them",
            f"{reading_s:6.1f} s  to read {words} words, {WORDS_A_MINUTE} a minute",
            f"{commands_s + reading_s:6.1f} s  from an empty folder to two browsers over two gateways",
        ]
    )
