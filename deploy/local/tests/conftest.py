"""Fixtures of the end-to-end tests: a running system, official clients."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from clients import Clients, js_clients

from roomwire_auth.clients.clients import new_secret, secret_digest
from roomwire_local.free_ports import free_port
from roomwire_local.system import LocalSystem, local_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, starts_servers: None) -> Iterator[LocalSystem]:
    """A system as `make up` starts it: two gateways, tokens optional."""
    with local_system(tmp_path_factory.mktemp("system"), free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def client_secret() -> str:
    """The secret of the backend `reports`."""
    return new_secret()


@pytest.fixture(scope="session")
def strict_system(
    tmp_path_factory: pytest.TempPathFactory, client_secret: str, starts_servers: None
) -> Iterator[LocalSystem]:
    """A system that lets nobody in without a token, and knows a backend."""
    folder = tmp_path_factory.mktemp("strict")
    clients_file = folder / "clients.toml"
    clients_file.write_text(f'[clients.reports]\nsecret_sha256 = ["{secret_digest(client_secret)}"]\n')
    settings = {"ROOMWIRE_AUTH_MODE": "required", "ROOMWIRE_CLIENTS_FILE": str(clients_file)}
    with local_system(folder, free_port(), GATEWAYS="1", **settings) as running:
        yield running


@pytest.fixture
async def clients(starts_servers: None) -> AsyncIterator[Clients]:
    """A Node process that hosts official clients."""
    async with js_clients() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with its own cookies."""
    async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
        yield client
