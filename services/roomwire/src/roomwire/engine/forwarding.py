"""What uvicorn believes of its proxies (`proxy_headers`, `forwarded_allow_ips`), for WebSockets that do not go through its application.

uvicorn's own middleware decides, so a request has the same client and scheme on the fast path as on plain ASGI. Behind it,
`protocol.sources` decides about the proxies that the server itself trusts.
"""

from typing import Any, NamedTuple

_HEADERS = b"x-forwarded-"


class Forwarded(NamedTuple):
    """Where a request came from, as an ASGI application behind uvicorn would learn it.

    Attributes:
        client: The client's host and port; None if it has none.
        scheme: `http` or `https`, or the WebSocket scheme that a proxy named.

    """

    client: Any
    scheme: str


class Forwarding:
    """Applies uvicorn's middleware to requests that uvicorn gives to a protocol of ours.

    Args:
        config: uvicorn's configuration.

    """

    def __init__(self, config: Any) -> None:
        self._middleware: Any = None
        if getattr(config, "proxy_headers", False):
            from uvicorn.middleware.proxy_headers import (  # noqa: PLC0415 - the library without extras does not install uvicorn
                ProxyHeadersMiddleware,
            )

            self._middleware = ProxyHeadersMiddleware(_nothing, trusted_hosts=config.forwarded_allow_ips)

    def of(self, request: bytes, peer: Any, scheme: str) -> Forwarded:
        """Return where a request came from.

        Args:
            request: The bytes that begin with the request.
            peer: The peer's address, as asyncio has it; None if it has none.
            scheme: The scheme of the connection, `http` or `https`.

        """
        head = request.partition(b"\r\n\r\n")[0]
        if self._middleware is None or _HEADERS not in head.lower():
            return Forwarded(peer, scheme)
        fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        scope: Any = {
            "type": "websocket",
            "client": tuple(peer[:2]) if peer else None,
            "scheme": scheme.replace("http", "ws"),
            "headers": [(name.lower(), value.strip(b" \t")) for name, _, value in fields],
        }
        # The middleware awaits nothing but the application, which awaits nothing.
        deciding = self._middleware(scope, _nothing, _nothing)
        try:
            deciding.send(None)
        except StopIteration:
            return Forwarded(scope["client"], scope["scheme"])
        finally:
            deciding.close()
        return Forwarded(peer, scheme)


async def _nothing(*_: Any) -> Any:
    """Stand for the application, which is not asked."""
