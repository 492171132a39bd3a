"""Applies the service's limits on requests to a foreign ASGI application."""

from starlette.types import ASGIApp, Receive, Scope, Send

from roomwire.protocol.sources import Proxies
from roomwire.serving.web.failures import Guard
from roomwire.serving.web.middleware import BodyLimit
from roomwire.serving.web.sources import Sources


class Bounded:
    """An application whose requests are limited and carry their true source.

    The body of an HTTP request is read first, and refused beyond the limit; exceptions of the application become answers.
    `roomwire.engine.asgi_socket` limits WebSockets, where their frames are read.

    Args:
        app: The application.
        max_body_bytes: Maximum size of a request's body.
        proxies: Determines where requests came from.

    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, proxies: Proxies) -> None:
        self._http = Sources(Guard(BodyLimit(app, max_body_bytes=max_body_bytes)), proxies=proxies)
        self._websocket = Sources(app, proxies=proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await (self._http if scope["type"] == "http" else self._websocket)(scope, receive, send)
