"""Fixtures of the API's tests."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from backends import KEYS, POLICY, SIGNING_KEY, System
from live import served
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


@pytest.fixture
async def jwks(starts_servers: None) -> AsyncIterator[str]:
    app = Starlette(
        routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [SIGNING_KEY.public_jwk()]}))]
    )
    async with served(app) as address:
        yield f"http://{address}/jwks.json"


@pytest.fixture
async def start(
    gateway: Any, jwks: str, tmp_path: Any, redis_url: str, free_port_factory: Callable[[], int]
) -> AsyncIterator[Callable[..., Any]]:
    """Call it for a system, with settings of its gateways."""
    policy_file = tmp_path / "policy.toml"
    policy_file.write_text(POLICY)
    async with contextlib.AsyncExitStack() as stack:

        async def start_(*, gateways: int = 2, url: str = redis_url, **settings: Any) -> System:
            system = System(stack)
            for number in range(gateways):
                port = free_port_factory()
                chosen = {
                    "auth_mode": "optional",
                    "auth_jwks_url": jwks,
                    "policy_file": policy_file,
                    "anonymous_role": "user",
                    "api_port": port,
                    "api_keys": KEYS,
                }
                running = await gateway(url, node_name=f"n{number + 1}", **(chosen | settings))
                await system.add(running, port)
            return system

        yield start_


@pytest.fixture
async def system(start: Callable[..., Any]) -> System:
    return await start()
