"""A network namespace for one gateway, whose link to Redis can be broken in one direction or both while clients reach it.

Two veth pairs lead into it: one to the clients, one to Redis. A partition gives the neighbour a wrong hardware
address, so packets are sent and nothing receives them: no connection is refused, as on a broken network.
"""

import os
import shutil
import subprocess
from typing import Final, Literal

PUBLIC: Final = "10.231.8.2"
REDIS: Final = "10.231.7.1"
_REDIS_GATEWAY: Final = "10.231.7.2"
_NOBODY: Final = "02:00:00:00:00:99"

Way = Literal["both", "out", "in"]


class NoNamespaces(Exception):
    """Network namespaces cannot be created here; the message says why."""


class Namespace:
    """One namespace; make it with `create`, and `destroy` it in any case."""

    def __init__(self) -> None:
        self.name = f"roomwire-{os.getpid()}"
        short = os.getpid() % 100_000
        self._redis = f"rwr{short}"
        self._public = f"rwp{short}"

    @property
    def prefix(self) -> list[str]:
        """The prefix of a command that runs inside."""
        return ["ip", "netns", "exec", self.name]

    def create(self) -> None:
        """Create the namespace with its links.

        Raises:
            NoNamespaces: This machine cannot.

        """
        if shutil.which("ip") is None:
            raise NoNamespaces("there is no `ip` (iproute2)")
        try:
            _ip("netns", "add", self.name)
            self._link(self._redis, outside=f"{REDIS}/30", inside=f"{_REDIS_GATEWAY}/30")
            self._link(self._public, outside="10.231.8.1/30", inside=f"{PUBLIC}/30")
            _ip("-n", self.name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            self.destroy()
            raise NoNamespaces(error.stderr.decode().strip()) from None

    def destroy(self) -> None:
        """Delete the namespace; its links are deleted with it."""
        for command in (
            ("link", "del", self._redis),
            ("link", "del", self._public),
            ("netns", "del", self.name),
        ):
            subprocess.run(["ip", *command], check=False, capture_output=True)  # noqa: S607 - the system's ip

    def partition(self, way: Way) -> None:
        """Break the link to Redis: from the gateway, to it, or both."""
        if way in {"both", "out"}:
            _ip(
                "-n",
                self.name,
                "neigh",
                "replace",
                REDIS,
                "lladdr",
                _NOBODY,
                "dev",
                f"{self._redis}i",
                "nud",
                "permanent",
            )
        if way in {"both", "in"}:
            _ip("neigh", "replace", _REDIS_GATEWAY, "lladdr", _NOBODY, "dev", self._redis, "nud", "permanent")

    def heal(self) -> None:
        """Restore the link."""
        for command in (
            ("-n", self.name, "neigh", "del", REDIS, "dev", f"{self._redis}i"),
            ("neigh", "del", _REDIS_GATEWAY, "dev", self._redis),
        ):
            subprocess.run(["ip", *command], check=False, capture_output=True)  # noqa: S607 - the same

    def worsen(self, *netem: str) -> None:
        """Delay or lose packets to Redis, by `tc netem`.

        Raises:
            NoNamespaces: This kernel has no netem.

        """
        command = ["tc", "qdisc", "replace", "dev", self._redis, "root", "netem", *netem]
        done = subprocess.run(command, check=False, capture_output=True)
        if done.returncode:
            raise NoNamespaces(f"tc netem: {done.stderr.decode().strip()}")

    def _link(self, name: str, *, outside: str, inside: str) -> None:
        _ip("link", "add", name, "type", "veth", "peer", "name", f"{name}i", "netns", self.name)
        _ip("addr", "add", outside, "dev", name)
        _ip("link", "set", name, "up")
        _ip("-n", self.name, "addr", "add", inside, "dev", f"{name}i")
        _ip("-n", self.name, "link", "set", f"{name}i", "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)  # noqa: S607 - the system's ip
