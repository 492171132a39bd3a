"""Fixtures of the gateway's tests: running gateways, and real clients of the library's tests."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from roomwire.app.node import Node
from roomwire_gateway.app import node
from roomwire_gateway.settings import Settings

Start = Callable[..., Awaitable["Running"]]


class Running:
    """A gateway that is served; `metric` reads what it counts."""

    def __init__(self, app: Node, address: str) -> None:
        self.app = app
        self.address = address

    def metric(self, name: str, **labels: str) -> float:
        return self.app.registry.get_sample_value(f"roomwire_{name}", labels) or 0


_ANY_NUMBER = {
    "max_events_per_s": 0,
    "max_events_per_user_per_s": 0,
    "max_events_of_guests_per_s": 0,
    "api_max_per_s": 0,
}


@pytest.fixture
async def gateway(starts_servers: None) -> AsyncIterator[Start]:
    """A factory of running gateways, put together as in production; without a page, tokens and bounds of what comes a second.

    On a slow machine Redis takes its time, and is believed to be there: a test that takes it away says how long a call may wait.
    A test that is not about these bounds may send more than a second's worth, and how fast the machine is decides whether
    it is within a second: a test of such a bound sets it.
    """
    from live import served

    async with contextlib.AsyncExitStack() as stack:

        async def start(redis_url: str = "memory://", **settings: Any) -> Running:
            chosen = {"node_name": "n1", "auth_mode": "off", "page": False, "redis_timeout_s": 10}
            app = node(Settings(redis_url=redis_url, **(chosen | _ANY_NUMBER | settings)))
            stack.push_async_callback(app.close)
            await app.start()
            return Running(app, await stack.enter_async_context(served(app.asgi)))

        yield start
