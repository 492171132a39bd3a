"""The fast WebSocket transport, which uvicorn uses in place of its own (`uvicorn.Config(ws=...)`).

uvicorn hands every WebSocket request to a class of ours. A request for the engine becomes a `FastSocket` on the same
transport, or the relay's if another node holds its session. Whether a request is for the engine is decided as
`socketio.ASGIApp` decides it, so that no spelling of the path bypasses the limits. Every other request becomes an
`AsgiSocket`, so that other WebSocket routes work beside ours.
"""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, cast

from roomwire.engine.admission import Query
from roomwire.engine.asgi_socket import AsgiSocket
from roomwire.engine.engine import Engine
from roomwire.engine.fast_socket import FastSocket
from roomwire.engine.forwarding import Forwarding
from roomwire.engine.mounting import Mounting
from roomwire.protocol.opening import BadUpgrade, read_target


def fast_websocket(engine: Engine, path: str, *, may_relay: bool = True) -> Callable[..., asyncio.Protocol]:
    """Return the class for `uvicorn.Config(ws=...)` that serves an engine under a path.

    Args:
        engine: The engine.
        path: The engine's path, with slashes: `/socket.io/`.
        may_relay: Whether requests for sessions of other nodes go to the engine's relay, if it has one. Default: yes.

    """
    of_config: weakref.WeakKeyDictionary[object, tuple[Forwarding, Mounting]] = weakref.WeakKeyDictionary()

    def make(
        *, config: object, server_state: Any, app_state: dict[str, object], **_: object
    ) -> asyncio.Protocol:
        def others() -> asyncio.Protocol:
            return AsgiSocket(
                config,
                server_state,
                app_state,
                limits=engine.limits,
                exceeded=engine.exceeded,
                deflater=engine.deflater,
            )

        def ours(query: bytes) -> asyncio.Protocol:
            relay = engine.relay if may_relay else None
            sid = "" if relay is None else Query(query.decode("latin-1")).sid
            if relay is not None and sid and relay.leads_elsewhere(sid):
                return relay.websocket(sid, server_state.connections)
            found = of_config.get(config)
            if found is None:
                found = of_config[config] = (Forwarding(config), Mounting(config))
            return FastSocket(engine, server_state.connections, app_state, *found)

        return _Dispatch(path, ours, others)

    return make


class _Dispatch(asyncio.Protocol):
    """Reads the request of a WebSocket and gives the transport to the protocol that serves it.

    It is the transport's protocol only until then; data that arrives meanwhile is passed on.
    """

    def __init__(
        self, path: str, ours: Callable[[bytes], asyncio.Protocol], others: Callable[[], asyncio.Protocol]
    ) -> None:
        self._path = path
        self._ours = ours
        self._others = others
        self._protocol: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast without a check: uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._protocol is None:
            self._protocol = self._find(data.partition(b" ")[2].partition(b" ")[0])
            self._protocol.connection_made(self._transport)
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(exc)

    def _find(self, target: bytes) -> asyncio.Protocol:
        try:
            path, _, query = read_target(target)
        except BadUpgrade:
            return self._others()  # the application answers an invalid query
        is_ours = (path if path.endswith("/") else f"{path}/").startswith(self._path)
        return self._ours(query) if is_ours else self._others()

    def _hand_over(self) -> None:
        if self._protocol is not None and not self._transport.is_closing():
            self._transport.set_protocol(self._protocol)
