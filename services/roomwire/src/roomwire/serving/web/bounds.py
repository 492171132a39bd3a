"""Applies the service's limits on requests to an ASGI application that is not ours."""

from starlette.types import ASGIApp, Receive, Scope, Send

from roomwire.protocol.sources import Proxies
from roomwire.serving.web.failures import Guard
from roomwire.serving.web.middleware import BodyLimit
from roomwire.serving.web.sources import Sources


class Bounded:
    """An application whose requests are within bounds, and say truly where they came from.

    An HTTP request has its body read first, and is refused beyond the limit; what the application raises becomes an answer. A
    WebSocket is bounded where its frames are read, see `roomwire.engine.asgi_socket`.

    Args:
        app: The application.
        max_body_bytes: Largest body of a request.
        proxies: Tells where requests came from.

    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, proxies: Proxies) -> None:
        self._http = Sources(Guard(BodyLimit(app, max_body_bytes=max_body_bytes)), proxies=proxies)
        self._websocket = Sources(app, proxies=proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await (self._http if scope["type"] == "http" else self._websocket)(scope, receive, send)
