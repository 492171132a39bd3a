"""The pytest plugin: the fixture `nodes`, and the loop that its tests run on.

Loaded in every run of pytest where the library is installed, it imports nothing of a server by itself. Tests are run by
pytest-asyncio, in either mode.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

if TYPE_CHECKING:
    from roomwire.app.app import App
    from roomwire.gateways import Gateway
    from roomwire.limits.client import Limits
    from roomwire.log.config import LogConfig
    from roomwire.testing.cluster import Cluster

_MARK = "_roomwire_loop"


class Nodes(Protocol):
    """The fixture `nodes`: makes a `Cluster`; see there."""

    def __call__(
        self,
        *app: "App | type[Gateway] | Gateway",
        count: int = 1,
        auth_mode: Literal["required", "optional"] = "optional",
        limits: "Limits | None" = None,
        config: "LogConfig | None" = None,
        provide: Mapping[Any, object] | None = None,
        **options: Any,
    ) -> "Cluster":
        """Make a cluster, to be entered by `async with`."""


@pytest.fixture(name=_MARK)
def _loop_of_tests() -> None:
    """Mark the tests that use `nodes`, by whatever fixture."""


@pytest.fixture
def nodes(_roomwire_loop: None) -> Nodes:
    """Make a `roomwire.testing.Cluster` of an application, to be entered by `async with`."""
    from roomwire.testing.cluster import Cluster  # noqa: PLC0415 - most runs need none of it

    return Cluster


class _LoopFactories:
    """What pytest-asyncio asks for the loops of a test: registered while one that uses `nodes` is collected."""

    @pytest.hookimpl(wrapper=True)
    def pytest_asyncio_loop_factories(
        self,
    ) -> Generator[None, object, Mapping[str, Callable[[], asyncio.AbstractEventLoop]]]:
        from roomwire.testing.loop import VirtualLoop  # noqa: PLC0415 - the same

        yield
        return {"virtual": VirtualLoop}


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, object, object]:
    """Have tests that use `nodes` run on a loop whose time is their own; others are left alone."""
    if _MARK not in metafunc.fixturenames or not metafunc.config.pluginmanager.has_plugin("asyncio"):
        return (yield)
    manager, factories = metafunc.config.pluginmanager, _LoopFactories()
    manager.register(factories)
    try:
        return (yield)
    finally:
        manager.unregister(factories)
