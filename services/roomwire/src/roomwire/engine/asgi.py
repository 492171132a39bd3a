"""The engine as an ASGI application: HTTP of the polling transport, and WebSockets on any ASGI server."""

from roomwire.engine import polling, websocket
from roomwire.engine.engine import Engine
from roomwire.protocol.asgi import Receive, Scope, Send


class AsgiEngine(Engine):
    """An engine that serves ASGI requests; its arguments are those of `Engine`."""

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request: HTTP of the polling transport, or a WebSocket."""
        self.use_loop()
        if scope["type"] == "websocket":
            await receive()  # the event that announces the request; the scope describes it
            await websocket.serve(self, self.environ_of(scope), receive, send)
        else:
            await polling.serve(self, scope, receive, send, relay=self.relay)
