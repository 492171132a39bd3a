"""Fixtures of the end-to-end tests: a running system, official clients."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from clients import Clients, js_clients
from local_system import LocalSystem, free_port, local_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system as `make up` starts it: two gateways, tokens optional."""
    with local_system(tmp_path_factory.mktemp("system"), free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def strict_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system that lets nobody in without a token."""
    with local_system(
        tmp_path_factory.mktemp("strict"), free_port(), GATEWAYS="1", ROOMWIRE_AUTH_MODE="required"
    ) as running:
        yield running


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    """A Node process that hosts official clients."""
    async with js_clients() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with its own cookies."""
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
        yield client
