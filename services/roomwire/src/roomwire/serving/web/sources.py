"""ASGI middleware that corrects an application's view of where its request came from.

The result of `roomwire.protocol.sources` is stored in ASGI's scope, so that routes, frameworks and pages
that read the request see the client's scheme, host and address instead of a proxy's.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from roomwire.protocol.sources import Proxies


class Sources:
    """Stores the client's scheme, host and address in the scope of each request.

    Headers that only a proxy may write are dropped if they come from a stranger.

    Args:
        app: The application.
        proxies: Determines where requests came from.

    """

    def __init__(self, app: ASGIApp, *, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] in {"http", "websocket"}:
            # In place: outer middleware reads the route that the router puts into the same scope.
            self._correct(scope)
        await self._app(scope, receive, send)

    def _correct(self, scope: Scope) -> None:
        peer, port = scope.get("client") or ("", 0)
        believes = self._proxies.believes(peer)
        headers = [(name, value) for name, value in scope["headers"] if believes(name.decode("latin-1"))]

        def header(name: str) -> str:
            raw = name.encode("latin-1")
            return b",".join(value for other, value in headers if other == raw).decode("latin-1")

        source = self._proxies.source(peer, scope.get("scheme", "http"), header)
        client = (source.address, port if source.address == peer else 0) if peer else None
        scope.update(headers=headers, client=client, scheme=source.scheme)
