"""A client's connection to a gateway: ordered both ways while it lives, and dead at each end when that end notices."""

from random import Random
from typing import Any

from model.pipe import Pipe

CLOSE = ("close",)
END = ("end",)


class Transport:
    """One connection. `socket` is what the gateway made of it, once a CONNECT came."""

    __slots__ = ("client", "down", "gateway", "is_open_above", "is_open_below", "socket", "up")

    def __init__(self, world: Any, client: Any, gateway: Any) -> None:
        self.client = client
        self.gateway = gateway
        self.up = Pipe(world.ready, gateway, self._to_gateway)
        self.down = Pipe(world.ready, world.always, self._to_client)
        self.is_open_below = True  # as the client knows it
        self.is_open_above = True  # as the gateway knows it
        self.socket: Any = None

    def write(self, frame: tuple[Any, ...]) -> None:
        """The gateway sends a frame."""
        if self.is_open_above and self.is_open_below:
            self.down.put(frame)

    def close(self) -> None:
        """The gateway closes, behind what it has written."""
        self.write(CLOSE)
        self.is_open_above = False
        self.up.items.clear()

    def drop(self, random: Random) -> None:
        """The client's network fails: frames in flight are lost, and the gateway may or may not hear of it."""
        self.is_open_below = False
        self.down.items.clear()
        self.up.cut(random.randint(0, len(self.up.items)))
        if random.random() < 0.6:
            self.up.put(END)

    def kill(self, random: Random) -> None:
        """The gateway dies: what its kernel had not sent is lost."""
        self.up.items.clear()
        if self.is_open_above:
            self.down.cut(random.randint(0, len(self.down.items)))
            self.write(CLOSE)
        self.is_open_above = False

    def _to_gateway(self, frame: tuple[Any, ...]) -> None:
        if self.is_open_above:
            self.gateway.from_client(self, frame)

    def _to_client(self, frame: tuple[Any, ...]) -> None:
        if self.is_open_below:
            self.client.receive(self, frame)
