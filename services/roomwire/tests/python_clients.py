"""The Python clients for tests, both used alike: what a test awaits runs in a thread for the client that blocks."""

import asyncio
import contextlib
from typing import Any

from waiting import until

from roomwire.client import AsyncClient, Client

KINDS = {"async": AsyncClient, "threads": Client}
# A test has no time for the pauses of a client that connects again.
PROMPT = {
    "reconnection_delay": 0.02,
    "reconnection_delay_max": 0.2,
    "randomization_factor": 0,
    "handle_sigint": False,
}


class PythonClient:
    """A client of one of the kinds.

    Attributes:
        client: The client itself.
        got: The events that its handlers received, in order: name and arguments, without the namespace of `/`.
        connects: For each `connect` event the namespace, the client's id and whether it was recovered, as a handler sees it.

    """

    def __init__(self, kind: str, *, namespaces: tuple[str, ...] = ("/",), **options: Any) -> None:
        self.client = KINDS[kind](**{**PROMPT, **options})
        self.got: list[tuple[Any, ...]] = []
        self.connects: list[tuple[str, str, bool]] = []
        self.disconnects: list[str] = []
        self._is_async = kind == "async"
        for namespace in namespaces:
            self._listen(namespace)

    def _listen(self, namespace: str) -> None:
        client, prefix = self.client, () if namespace == "/" else (namespace,)

        def connected() -> None:
            known = client.get_sid(namespace), client.get_recovered(namespace)
            self.connects.append((namespace, *known))

        client.on("connect", connected, namespace=namespace)
        client.on("disconnect", self.disconnects.append, namespace=namespace)
        client.on("*", lambda *event: self.got.append((*prefix, *event)), namespace=namespace)

    async def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client."""
        call = getattr(self.client, method)
        if self._is_async:
            return await call(*arguments, **options)
        return await asyncio.to_thread(call, *arguments, **options)

    async def connect(self, port: int, **options: Any) -> None:
        await self.do("connect", f"http://127.0.0.1:{port}", wait_timeout=20, **options)

    async def has(self, *events: tuple[Any, ...]) -> None:
        """Wait until as many events are there, and compare them."""
        with contextlib.suppress(TimeoutError):
            await until(lambda: len(self.got) >= len(events), within_s=20)
        assert [*events] == self.got

    async def again(self, count: int) -> None:
        """Wait until it has connected so often."""
        await until(lambda: len(self.connects) >= count and self.client.connected, within_s=30)

    async def close(self) -> None:
        await self.do("shutdown")
