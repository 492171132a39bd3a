"""Fixtures of the auth service's tests. Redis is a real one: see the conftest.py of the repository."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from roomwire.identity.jwks import JwksClient
from roomwire.identity.tokens import SigningKey
from roomwire.identity.verification import Verifier
from roomwire.redis.topology import connect
from roomwire_auth.app import AuthApp
from roomwire_auth.metrics import Metrics
from roomwire_auth.settings import Settings
from roomwire_auth.store import Store

CHEAP = {"argon2_time_cost": 1, "argon2_memory_kib": 7_168}


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def settings(redis_url: str, signing_key: SigningKey) -> Settings:
    return Settings(redis_url=redis_url, signing_key=signing_key.to_pem(), **CHEAP)


@pytest.fixture
async def open_client() -> AsyncIterator[Any]:
    """Call it with settings for a client of a service with these."""
    opened: list[tuple[AuthApp, httpx.AsyncClient]] = []

    def open_(settings: Settings) -> httpx.AsyncClient:
        app = AuthApp(settings)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://auth")
        client.metric = app.registry.get_sample_value
        opened.append((app, client))
        return client

    yield open_
    for app, client in opened:
        await client.aclose()
        await app.close()


@pytest.fixture
def client(open_client: Any, settings: Settings) -> httpx.AsyncClient:
    return open_client(settings)


@pytest.fixture
async def verify(client: httpx.AsyncClient) -> AsyncIterator[Any]:
    """Verifies an access token as a gateway does: with the keys that the service publishes."""
    keys = JwksClient("http://auth/auth/.well-known/jwks.json", transport=client._transport)
    yield Verifier(keys, issuer="roomwire", audience="roomwire").verify
    await keys.close()


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(connect(redis_url, key="rw:{auth}:"), prefix="rw", timeout_s=1)
    yield store
    await store.close()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()
