"""Traefik's configuration: cookie affinity, routing by session id for clients without the cookie, and `/auth`.

An Engine.IO session lives on one gateway, so each of its requests has to reach that gateway. Browsers on the chat's
own page keep a cookie. Many clients do not (pages of another origin, most clients that are not browsers), so
their session ids begin with the gateway's name, and the ingress routes by it. A request that reaches another gateway
anyway is relayed: both kinds of affinity are cheaper than the relay, and neither is required.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEALTH_INTERVAL = "500ms"
"""How soon a dead gateway gets no more requests; until then, its requests are retried once on another gateway."""
HEALTH_TIMEOUT = "2s"
"""Long enough that a gateway that is only slow to answer, on a busy machine, is not considered dead."""


PING = {"rule": "Path(`/ping`)", "service": "ping@internal", "entryPoints": ["ping"]}
"""The route of `/ping`. It is in the file of routes, so an ingress that answers has read that file."""


@dataclass(frozen=True)
class Backend:
    """A gateway: its name, its public port, its operations port, and its host. Default: the host of the ingress."""

    name: str
    port: int
    ops_port: int
    host: str = ""


@dataclass(frozen=True)
class Entry:
    """The ingress itself.

    Attributes:
        port: Its port.
        ping_port: The port of `/ping`.
        host: Its address, and that of all services behind it.
        trusted: The proxies in front of it whose X-Forwarded-* headers it accepts. Default: none.
        certificate: Files with a certificate and its key. Default: it serves plain HTTP.

    """

    port: int
    ping_port: int
    host: str
    trusted: Sequence[str] = ()
    certificate: tuple[Path, Path] | None = None


def write_traefik_config(folder: Path, entry: Entry, *, auth_url: str, gateways: Sequence[Backend]) -> Path:
    """Write the configuration files; returns the path of the main one.

    Args:
        folder: Where the files are written.
        entry: The ingress.
        auth_url: The auth service.
        gateways: The gateways.

    """
    return _write(folder, "traefik", entry, routes(entry, auth_url=auth_url, gateways=gateways))


def write_round_robin_config(folder: Path, entry: Entry, *, gateways: Sequence[int]) -> Path:
    """Write the files of an ingress without any affinity, for tests of the relay; returns the path of the main file.

    Args:
        folder: Where the files are written.
        entry: The ingress.
        gateways: The public ports of the gateways, which get requests in turn.

    """
    servers = [{"url": f"http://{entry.host}:{gateway}"} for gateway in gateways]
    router = {"rule": "PathPrefix(`/`)", "service": "all", "entryPoints": ["web"]}
    everywhere = {
        "http": {
            "routers": {"all": router, "ping": PING},
            "services": {"all": {"loadBalancer": {"servers": servers}}},
        }
    }
    return _write(folder, "round-robin", entry, everywhere)


def _write(folder: Path, name: str, entry: Entry, leads: dict[str, Any]) -> Path:
    if entry.certificate is not None:
        certificate, key = map(str, entry.certificate)
        leads = {**leads, "tls": {"certificates": [{"certFile": certificate, "keyFile": key}]}}
    # JSON is valid YAML, and Traefik recognizes files by their extension.
    dynamic = folder / f"{name}-routes.yml"
    dynamic.write_text(json.dumps(leads, indent=2), encoding="utf-8")
    static = folder / f"{name}.yml"
    static.write_text(json.dumps(_static(entry, dynamic), indent=2), encoding="utf-8")
    return static


def _static(entry: Entry, dynamic: Path) -> dict[str, Any]:
    web: dict[str, Any] = {"address": f"{entry.host}:{entry.port}"}
    if entry.trusted:
        web["forwardedHeaders"] = {"trustedIPs": [*entry.trusted]}
    if entry.certificate is not None:
        web["http"] = {"tls": {}}
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        # It warns of each gateway that has not started yet or is gone, which the lines of the gateways say already.
        "log": {"level": "ERROR", "noColor": True},
        "entryPoints": {
            "web": web,
            "ping": {"address": f"{entry.host}:{entry.ping_port}"},
        },
        "ping": {"entryPoint": "ping", "manualRouting": True},
        "providers": {"file": {"filename": str(dynamic)}},
    }


def routes(entry: Entry, *, auth_url: str, gateways: Sequence[Backend]) -> dict[str, Any]:
    """Return the routes, as Traefik's file of routes contains them; the arguments are those of `write_traefik_config`."""
    # All ports of a host share cookies; the port in the name keeps two local systems apart.
    cookie = f"roomwire_{entry.port}"
    no_cookie = f"!HeaderRegexp(`Cookie`, `(^|;\\s*){cookie}=`)"
    routers: dict[str, Any] = {
        "auth": {"rule": "PathPrefix(`/auth`)", "service": "auth", "priority": 100},
        "gateways": {
            "rule": "PathPrefix(`/`)",
            "service": "gateways",
            "priority": 1,
            "middlewares": ["once-more"],
        },
    }
    services: dict[str, Any] = {
        "auth": {"loadBalancer": {"servers": [{"url": auth_url}]}},
        "gateways": {
            "weighted": {
                "services": [{"name": gateway.name, "weight": 1} for gateway in gateways],
                "sticky": {"cookie": {"name": cookie, "httpOnly": True, "sameSite": "lax"}},
                "healthCheck": {},
            }
        },
    }
    for gateway in gateways:
        routers[f"{gateway.name}-by-sid"] = {
            "rule": f"PathPrefix(`/socket.io/`) && QueryRegexp(`sid`, `^{gateway.name}\\.`) && {no_cookie}",
            "service": gateway.name,
            "priority": 50,
        }
        services[gateway.name] = {
            "loadBalancer": {
                "servers": [{"url": f"http://{gateway.host or entry.host}:{gateway.port}"}],
                "healthCheck": {
                    "path": "/readyz",
                    "port": gateway.ops_port,
                    "interval": HEALTH_INTERVAL,
                    "timeout": HEALTH_TIMEOUT,
                },
            }
        }
    return {
        "http": {
            "routers": {name: router | {"entryPoints": ["web"]} for name, router in routers.items()}
            | {"ping": PING},
            # Only requests that no gateway has received are retried: those whose connection failed.
            "middlewares": {"once-more": {"retry": {"attempts": 2}}},
            "services": services,
        }
    }
