"""The chat page at `/`: static files with a strict Content-Security-Policy."""

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from roomwire.errors import ConfigurationError

WEB: Final = Path(__file__).parent / "web"
CLIENT: Final = "socket.io.esm.min.js"
HEADERS: Final = {
    # Browsers revalidate files by their ETag, so that an upgrade never mixes old and new ones.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page_app(*, enabled: bool) -> ASGIApp:
    """Return the ASGI application of everything that is not Socket.IO.

    Args:
        enabled: Whether there is a page; without it every path is answered by 404.

    Raises:
        ConfigurationError: The page is enabled, but the client library was not installed with it.

    """
    if not enabled:
        return _Headers(Starlette())
    if not (WEB / CLIENT).exists():
        raise ConfigurationError(f"{CLIENT} is missing: run `make install`, or set ROOMWIRE_PAGE=false")

    async def index(_: Request) -> Response:
        return FileResponse(WEB / "index.html")

    async def favicon(_: Request) -> Response:
        return FileResponse(WEB / "icon.svg")

    routes = [Route("/", index), Route("/favicon.ico", favicon), Mount("/web", StaticFiles(directory=WEB))]
    app = Starlette(routes=routes, exception_handlers={404: _not_found})
    # Behind a proxy that ends TLS, a redirect would point to http://.
    app.router.redirect_slashes = False
    return _Headers(app)


async def _not_found(_: Request, __: Exception) -> Response:
    return _nothing_here()


def _nothing_here() -> Response:
    return PlainTextResponse("This page does not exist.\n", status_code=404)


class _Headers:
    """ASGI middleware that sets the headers of every answer, and refuses every WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            answer = _nothing_here()
            answer.headers.update(HEADERS)
            await WebSocket(scope, receive, send).send_denial_response(answer)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
