"""The pytest plugin: the fixture `nodes`, and the loop that its tests run on.

It is loaded in every pytest run where the library is installed, so it does not import any server code by itself. pytest-asyncio
runs the tests, in either mode.
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
    """The fixture `nodes`, which creates a `Cluster`; see there."""

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
        """Create a cluster; enter it with `async with`."""


@pytest.fixture(name=_MARK)
def _loop_of_tests() -> None:
    """Mark tests that use `nodes`, directly or through other fixtures."""


@pytest.fixture
def nodes(_roomwire_loop: None) -> Nodes:
    """Create a `roomwire.testing.Cluster` of an application; enter it with `async with`."""
    from roomwire.testing.cluster import Cluster  # noqa: PLC0415 - most runs do not need it

    return Cluster


class _LoopFactories:
    """The plugin that pytest-asyncio asks for a test's loops: registered while a test that uses `nodes` is collected."""

    @pytest.hookimpl(wrapper=True)
    def pytest_asyncio_loop_factories(
        self,
    ) -> Generator[None, object, Mapping[str, Callable[[], asyncio.AbstractEventLoop]]]:
        from roomwire.testing.loop import VirtualLoop  # noqa: PLC0415 - the same

        yield
        return {"virtual": VirtualLoop}


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, object, object]:
    """Run tests that use `nodes` on a loop with virtual time; leave other tests alone."""
    if _MARK not in metafunc.fixturenames or not metafunc.config.pluginmanager.has_plugin("asyncio"):
        return (yield)
    manager, factories = metafunc.config.pluginmanager, _LoopFactories()
    manager.register(factories)
    try:
        return (yield)
    finally:
        manager.unregister(factories)
