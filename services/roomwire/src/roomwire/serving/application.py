"""What a process serves: the contract between a service and its process, and the states of that one's life."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry

from roomwire.errors import RoomwireError, Unavailable
from roomwire.health.dependencies import Dependencies
from roomwire.protocol.asgi import App as Asgi


class State(enum.StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class NotYet(Unavailable):
    """An application waits for something of its own: the pauses grow after which it is started again, and each is logged."""


class Application(Protocol):
    """What a service package provides."""

    @property
    def asgi(self) -> Asgi:
        """The ASGI application of the public port."""

    @property
    def websocket(self) -> Callable[..., asyncio.Protocol] | str | None:
        """What takes the WebSockets of the public port, as `uvicorn.Config(ws=...)`.

        None: those of `asgi`, within the bounds of `AsgiSocket`. `NO_WEBSOCKETS`: there are none.
        """

    @property
    def registry(self) -> CollectorRegistry:
        """What `/metrics` shows."""

    @property
    def dependencies(self) -> Dependencies:
        """What it depends on: `/readyz` says why something of that does not serve."""

    async def start(self) -> None:
        """Connect to what it depends on; raises `Unavailable` to be started again."""

    async def check(self) -> Mapping[str, str]:
        """Return the state of what it depends on, by name: `ok` or `degraded`."""

    async def drain(self) -> None:
        """Part from its clients, over the drain window."""

    async def close(self) -> None:
        """Let go of everything; idempotent, and right after a failed `start` too."""


@runtime_checkable
class EndsByItself(Protocol):
    """An application that may end while it serves: its process then parts from the clients, and ends."""

    async def ended(self) -> None:
        """Wait until it has ended; raises why."""


async def state_of(check: Callable[[], Awaitable[object]]) -> str:
    """Return `ok`, or `degraded` if a check raises one of our errors."""
    try:
        await check()
    except RoomwireError:
        return "degraded"
    return "ok"
