"""The engine as an ASGI application: HTTP of the polling transport, and WebSockets on any ASGI server."""

from typing import Any

from roomwire.engine import polling, websocket
from roomwire.engine.engine import Engine


class AsgiEngine(Engine):
    """An engine that serves ASGI requests; its arguments are those of `Engine`."""

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI request: HTTP of the polling transport, or a WebSocket."""
        self.use_loop()
        if scope["type"] == "websocket":
            await receive()  # it announces the request, which the scope describes
            await websocket.serve(self, self.environ_of(scope), receive, send)
        else:
            await polling.serve(self, scope, receive, send, relay=self.relay)
