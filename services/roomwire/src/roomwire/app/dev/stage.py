"""The present state of the application, as the developer sees it: the supervisor changes it, and consoles wait for changes."""

import asyncio
from typing import Literal

import msgspec

from roomwire.app.dev.description import Description


class Scene(msgspec.Struct, frozen=True):
    """The state of the application.

    Attributes:
        phase: `starting`, `serving` or `failed`.
        start: The number of the application's start, counted from 1.
        pid: The id of that start's process; 0 before there is one.
        sentence: The cause of a failure.
        traceback: The traceback of the application's own code, if it raised.
        application: The application that was served last, or None before the first.

    """

    phase: Literal["starting", "serving", "failed"] = "starting"
    start: int = 0
    pid: int = 0
    sentence: str = ""
    traceback: str = ""
    application: Description | None = None


class Stage:
    """Holds the present scene.

    Attributes:
        scene: The present scene.

    """

    def __init__(self) -> None:
        self.scene = Scene()
        self._is_closed = False
        self._changed = asyncio.Event()

    def show(self, scene: Scene) -> None:
        """Change the scene."""
        self.scene = scene
        self._wake()

    async def after(self, seen: Scene | None) -> Scene | None:
        """Wait for a scene other than the one seen, and return it, or None after `close`."""
        while self.scene is seen and not self._is_closed:
            await self._changed.wait()
        return None if self._is_closed else self.scene

    def close(self) -> None:
        """Announce that no further scene follows."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
