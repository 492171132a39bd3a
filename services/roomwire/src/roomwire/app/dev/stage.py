"""What the developer sees of the application at the moment: the supervisor shows it, and consoles wait for the next."""

import asyncio
from typing import Literal

import msgspec

from roomwire.app.dev.description import Description


class Scene(msgspec.Struct, frozen=True):
    """How the application is.

    Attributes:
        phase: `starting`, `serving` or `failed`.
        start: Which start of the application it is, counted from 1.
        pid: The process of that start; 0 before there is one.
        sentence: Why it failed.
        traceback: The traceback of the application's own code, if it raised.
        application: What was last served; None before anything was.

    """

    phase: Literal["starting", "serving", "failed"] = "starting"
    start: int = 0
    pid: int = 0
    sentence: str = ""
    traceback: str = ""
    application: Description | None = None


class Stage:
    """Holds the scene.

    Attributes:
        scene: The one at the moment.

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
        """Wait until the scene is another than the one that was seen; returns it, or None if there will be none."""
        while self.scene is seen and not self._is_closed:
            await self._changed.wait()
        return None if self._is_closed else self.scene

    def close(self) -> None:
        """Say that nothing comes any more."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
