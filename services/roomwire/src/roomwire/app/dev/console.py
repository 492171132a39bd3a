"""The console of `roomwire dev`: its page, the state of the application, and tokens of guests. HTTP only."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from roomwire.app.dev.door import Door
from roomwire.app.dev.guests import Guests
from roomwire.app.dev.stage import Stage
from roomwire.errors import ConfigurationError

WEB: Final = Path(__file__).parent / "web"
CLIENT: Final = "socket.io.esm.min.js"
KEYS_PATH: Final = "/.well-known/jwks.json"


class Target(msgspec.Struct, frozen=True):
    """The address of the application, and how it authenticates clients.

    Attributes:
        address: Its origin, as the page calls it.
        auth_mode: ROOMWIRE_AUTH_MODE.
        has_guests: Whether the application accepts tokens of the console.

    """

    address: str
    auth_mode: str
    has_guests: bool


def console(
    stage: Stage,
    target: Target,
    guests: Guests | None,
    *,
    port: int,
    on_entry: Callable[[], object] = lambda: None,
) -> Door:
    """Return the console as an ASGI application.

    Args:
        stage: The state of the application.
        target: The address of the application.
        guests: Issues tokens. None if another issuer does.
        port: The console's port.
        on_entry: Called after a browser has used the link, which is then replaced by a new one.

    """

    async def index(_: Request) -> Response:
        return FileResponse(WEB / "index.html")

    async def about(_: Request) -> Response:
        return JSONResponse(msgspec.to_builtins(target))

    async def scenes(_: Request) -> Response:
        return StreamingResponse(_events(stage), media_type="text/event-stream")

    async def token(request: Request) -> Response:
        if guests is None:
            return PlainTextResponse(
                "The issuer that the settings name issues the tokens.\n", status_code=404
            )
        return JSONResponse({"token": guests.token(request.query_params.get("name", ""))})

    async def keys(_: Request) -> Response:
        return JSONResponse(guests.keys() if guests is not None else {"keys": []})

    routes = [
        Route("/", index),
        Route("/target", about),
        Route("/scenes", scenes),
        Route("/token", token, methods=["POST"]),
        Route(KEYS_PATH, keys),
        Mount("/web", StaticFiles(directory=WEB)),
    ]
    return Door(
        Starlette(routes=routes),
        port=port,
        open_to_all=frozenset({KEYS_PATH}),
        headers=_headers(target.address),
        on_entry=on_entry,
    )


def _headers(address: str) -> dict[str, str]:
    """Return the headers of every answer. The page may load nothing from other hosts, and call only the application."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {address} {address.replace('http', 'ws', 1)}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def check_installed() -> None:
    """Raise `ConfigurationError` if the client library was not installed with the console."""
    if not (WEB / CLIENT).exists():
        raise ConfigurationError(f"{CLIENT} is missing in {WEB}: run `make install`")


async def _events(stage: Stage) -> AsyncIterator[bytes]:
    scene = None
    while scene := await stage.after(scene):
        yield b"data: " + msgspec.json.encode(scene) + b"\n\n"
