"""Fixtures of the library's tests."""

import asyncio
from collections.abc import Callable, Mapping

import hypothesis
import pytest
import uvloop

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("roomwire", deadline=None)
hypothesis.settings.load_profile("roomwire")

ON_EVERY_LOOP = {"test_http.py"}


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what depends on transports on both loops: the services have uvloop, tests and others asyncio's."""
    factories = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return factories if item.path.name in ON_EVERY_LOOP else {"asyncio": asyncio.new_event_loop}
