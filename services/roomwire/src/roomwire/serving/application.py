"""The contract between a service and its process, and the states of the process."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry

from roomwire.errors import RoomwireError, Unavailable
from roomwire.health.dependencies import Dependencies
from roomwire.limits.accounts import Accounts
from roomwire.protocol.asgi import App as Asgi


class State(enum.StrEnum):
    """The state of a process."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class NotYet(Unavailable):
    """An application waits for a condition of its own: it is started again after growing pauses, and each attempt is logged."""


class Application(Protocol):
    """The part of a process that a service package provides."""

    @property
    def asgi(self) -> Asgi:
        """The ASGI application of the public port."""

    @property
    def websocket(self) -> Callable[..., asyncio.Protocol] | str | None:
        """The protocol for WebSockets on the public port, as for `uvicorn.Config(ws=...)`.

        None: the WebSockets of `asgi`, within the limits of `AsgiSocket`. `NO_WEBSOCKETS`: the port has no WebSockets.
        """

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics that `/metrics` shows."""

    @property
    def dependencies(self) -> Dependencies:
        """Its dependencies; `/readyz` shows the cause of each that does not work."""

    async def start(self) -> None:
        """Connect to its dependencies; raise `Unavailable` to be started again."""

    async def check(self) -> Mapping[str, str]:
        """Return the state of its dependencies, by name: `ok` or `degraded`."""

    async def drain(self) -> None:
        """Disconnect its clients over the drain window."""

    async def close(self) -> None:
        """Release all resources; idempotent, and valid after a failed `start`."""


@runtime_checkable
class EndsByItself(Protocol):
    """An application that may end while it serves: its process then disconnects the clients, and ends."""

    async def ended(self) -> None:
        """Wait until it has ended; raise the error that ended it."""


@runtime_checkable
class HoldsForClients(Protocol):
    """An application that keeps things for clients, and accounts for them."""

    @property
    def accounts(self) -> Accounts:
        """What its clients hold, after `start`."""

    @property
    def guests_share(self) -> float:
        """The part of what clients may hold that all guests together may hold."""


async def state_of(check: Callable[[], Awaitable[object]]) -> str:
    """Return `ok`, or `degraded` if a check raises one of our errors."""
    try:
        await check()
    except RoomwireError:
        return "degraded"
    return "ok"
