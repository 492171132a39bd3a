"""The system under test: real Valkey, auth, gateways and Traefik, controlled through their handles.

Every process that was started ends when the context ends, also after an interruption.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import httpx

from roomwire.identity.capabilities import load_policy
from roomwire.identity.tokens import SigningKey, User
from roomwire_loadtest.faults.cutter import HOST, Cutter
from roomwire_loadtest.faults.daemons import START_TIMEOUT_S, Daemon, NotRunning, Valkey
from roomwire_loadtest.faults.namespace import PUBLIC, REDIS, Namespace
from roomwire_local.free_ports import free_ports
from roomwire_local.ingress import Backend, Entry, write_traefik_config

PING_INTERVAL_S: Final = 2.0
PING_TIMEOUT_S: Final = 3.0
DRAIN_S: Final = 2.0
_TOKEN_S: Final = 600


class Home(Protocol):
    """Several processes that together are the database."""

    @property
    def url(self) -> str:
        """The URL for services."""

    @property
    def primary(self) -> Valkey:
        """The primary that has the log at the beginning."""

    @property
    def daemons(self) -> Sequence[Valkey]:
        """All the processes."""

    async def start(self) -> None:
        """Start all processes, and wait until they know each other."""


class System:
    """All processes of a run.

    Attributes:
        url: The URL of the ingress.
        gateways: The gateways by name.
        ports: The public ports of the gateways by name.
        ops: The operations ports of the gateways by name.
        signing_key: Auth's key from its next start on.

    """

    def __init__(
        self,
        folder: Path,
        *,
        gateways: int,
        settings: Mapping[str, str],
        namespace: Namespace | None,
        failover: bool,
        home: Callable[[Path], Home] | None,
    ) -> None:
        self.folder = folder
        self.namespace = namespace
        self._key_file = folder / "key.pem"
        self.rotate(SigningKey.generate())
        names = [f"gateway-{number}" for number in range(1, gateways + 1)]
        redis_port, door_port, self.port, ping_port, auth_port, auth_ops, *rest = free_ports(6 + 3 * gateways)
        self.ports = dict(zip(names, rest[::3], strict=True))
        self.ops = dict(zip(names, rest[1::3], strict=True))
        relay_ports = dict(zip(names, rest[2::3], strict=True))
        relay_secret = secrets.token_urlsafe(32)
        self._auth_ops = auth_ops
        self.auth_url = f"http://{HOST}:{auth_port}"
        self.url = f"http://{HOST}:{self.port}"
        reach = [] if namespace is None else ["--bind", HOST, REDIS, "--protected-mode", "no"]
        self.home = None if home is None else home(folder)
        self.valkey = Valkey(folder, redis_port, *reach) if self.home is None else self.home.primary
        self.redis_door = Cutter(redis_port, port=door_port)
        redis_url = f"redis://{HOST}:{door_port}/0" if failover else self.valkey.url
        if self.home is not None:
            redis_url = self.home.url
        common = dict(os.environ) | {
            "PYTHONUNBUFFERED": "1",
            "ROOMWIRE_HOST": HOST,
            "ROOMWIRE_REDIS_URL": redis_url,
            "ROOMWIRE_AUTH_MODE": "optional",
            "ROOMWIRE_CORS_ORIGINS": "*",
            "ROOMWIRE_TRUSTED_PROXIES": HOST,
            "ROOMWIRE_DRAIN_S": str(DRAIN_S),
            "ROOMWIRE_LOG_FORMAT": "json",
            "ROOMWIRE_PING_INTERVAL_S": str(PING_INTERVAL_S),
            "ROOMWIRE_PING_TIMEOUT_S": str(PING_TIMEOUT_S),
            "ROOMWIRE_AUTH_JWKS_URL": f"{self.auth_url}/auth/.well-known/jwks.json",
            **settings,
        }
        own = {
            "ROOMWIRE_PORT": str(auth_port),
            "ROOMWIRE_OPS_PORT": str(auth_ops),
            "ROOMWIRE_NODE_NAME": "auth",
            "ROOMWIRE_SIGNING_KEY_FILE": str(self._key_file),
            "ROOMWIRE_DOCS": "false",
        }
        self.auth = self._service("auth", "roomwire_auth", common | own, auth_ops)
        self.gateways = {
            name: self._service(
                name,
                "roomwire_gateway",
                common
                | {
                    "ROOMWIRE_PORT": str(self.ports[name]),
                    "ROOMWIRE_OPS_PORT": str(self.ops[name]),
                    "ROOMWIRE_RELAY_PORT": str(relay_ports[name]),
                    "ROOMWIRE_RELAY_SECRET": relay_secret,
                    "ROOMWIRE_NODE_NAME": name,
                    # In some rows all clients have one token.
                    "ROOMWIRE_MAX_EVENTS_PER_USER_PER_S": "0",
                    "ROOMWIRE_MAX_EVENTS_OF_GUESTS_PER_S": "0",
                    "ROOMWIRE_PAGE": "false",
                },
                self.ops[name],
            )
            for name in names
        }
        self._doors = [self.redis_door] if failover else []
        if namespace is not None:
            self._isolate(names[0], namespace)
        backends = [Backend(name=name, port=self.ports[name], ops_port=self.ops[name]) for name in names]
        entry = Entry(self.port, ping_port, HOST)
        config = write_traefik_config(folder, entry, auth_url=self.auth_url, gateways=backends)
        traefik = Path(sys.executable).parent / "traefik"
        self.ingress = Daemon(
            "ingress",
            [str(traefik), f"--configFile={config}"],
            dict(os.environ),
            f"http://{HOST}:{ping_port}/ping",
            folder / "ingress.log",
        )

    def rotate(self, key: SigningKey) -> None:
        """Give auth another key, which it reads when it starts."""
        self.signing_key = key
        self._key_file.write_text(key.to_pem())

    @property
    def isolated(self) -> str:
        """The gateway that runs in the namespace."""
        return next(iter(self.gateways))

    def _isolate(self, name: str, namespace: Namespace) -> None:
        """Move a gateway into the namespace; proxies forward its ports, so that other processes find it as before."""
        gateway = self.gateways[name]
        gateway.command = [*namespace.prefix, *gateway.command]
        gateway.env |= {
            "ROOMWIRE_HOST": PUBLIC,
            "ROOMWIRE_REDIS_URL": f"redis://{REDIS}:{self.valkey.port}/0",
        }
        for port in (self.ports[name], self.ops[name]):
            self._doors.append(Cutter(port, host=PUBLIC, port=port))

    @property
    def daemons(self) -> list[Daemon]:
        """All processes, in the order in which they are started."""
        return [*self._databases, self.auth, *self.gateways.values(), self.ingress]

    @property
    def _databases(self) -> Sequence[Valkey]:
        return [self.valkey] if self.home is None else self.home.daemons

    async def start(self) -> None:
        """Start everything and wait until the ingress serves every gateway."""
        for door in self._doors:
            await door.attach()
        if self.home is None:
            self.valkey.start()
            await self.valkey.ready()
        else:
            await self.home.start()
        for daemon in self.daemons[len(self._databases) :]:
            daemon.start()
        await asyncio.gather(*(daemon.ready() for daemon in self.daemons))
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
            deadline = time.monotonic() + START_TIMEOUT_S
            while (await http.get(f"{self.url}/")).status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                if time.monotonic() > deadline:
                    raise NotRunning("the ingress serves no gateway")
                await asyncio.sleep(0.1)

    def token(self, name: str, key: SigningKey | None = None) -> str:
        """Return an access token, signed by auth's present key or by another."""
        able = load_policy().of_role("user")
        user = User(id=name, name=name, kind="account", capabilities=able)
        return (key or self.signing_key).sign(
            user, issuer="roomwire", audience="roomwire", lifetime_s=_TOKEN_S
        )

    async def key_requests(self) -> int:
        """Return how often auth's public keys have been requested since it started."""
        metrics = await self.metrics("auth")
        return int(
            sum(
                value
                for name, value in metrics.items()
                if name.startswith("roomwire_auth_requests_total") and "jwks" in name
            )
        )

    async def metrics(self, service: str) -> dict[str, float]:
        """Return the metrics of a service, by name with labels."""
        port = self._auth_ops if service == "auth" else self.ops[service]
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
            text = (await http.get(f"http://{HOST}:{port}/metrics")).text
        rows = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, _, value in rows}

    async def health(self, gateway: str) -> dict[str, Any]:
        """Return the `/readyz` answer of a gateway."""
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
            answer: dict[str, Any] = (await http.get(f"http://{HOST}:{self.ops[gateway]}/readyz")).json()
        return answer

    async def stop(self) -> None:
        """End all processes at once, including paused ones; idempotent."""
        for daemon in reversed(self.daemons):
            daemon.kill()
        for door in self._doors:
            await door.close()

    def _service(self, name: str, module: str, env: Mapping[str, str], ops_port: int) -> Daemon:
        return Daemon(
            name,
            [sys.executable, "-m", module],
            env,
            f"http://{HOST}:{ops_port}/readyz",
            self.folder / f"{name}.log",
        )


@asynccontextmanager
async def run_system(
    *,
    gateways: int = 2,
    settings: Mapping[str, str] | None = None,
    isolated: bool = False,
    failover: bool = False,
    home: Callable[[Path], Home] | None = None,
) -> AsyncIterator[System]:
    """Run a system while the context lasts; its data is deleted at the end.

    Args:
        gateways: The number of gateways.
        settings: Additional settings of all services.
        isolated: Whether the first gateway gets its own network namespace.
        failover: Whether all services reach Redis through `redis_door`, which can forward to another server.
        home: Creates a database of several processes in a folder. Default: a single process.

    Raises:
        NoNamespaces: This machine cannot create network namespaces.

    """
    folder = Path(tempfile.mkdtemp(prefix="roomwire-faults-"))
    namespace = Namespace() if isolated else None
    try:
        if namespace:
            namespace.create()
        system = System(
            folder,
            gateways=gateways,
            settings=settings or {},
            namespace=namespace,
            failover=failover,
            home=home,
        )
        try:
            await system.start()
            yield system
        finally:
            await system.stop()
    finally:
        if namespace:
            namespace.destroy()
        shutil.rmtree(folder, ignore_errors=True)
