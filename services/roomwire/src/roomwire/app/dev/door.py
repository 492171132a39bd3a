"""Admits a browser on this machine to the console after it has used the link that `roomwire dev` has printed.

The link holds a ticket, which can be exchanged for a cookie once. The host of every request must be a loopback address, so that a
page on another host cannot reach the console by its own name (DNS rebinding). A request that changes something must come from the
console's own page.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roomwire.app.dev.environment import LOOPBACK

_REFUSED: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Roomwire console</title></head>
<body><h1>The console needs its link</h1>
<p>Open the console by the link that <code>roomwire dev</code> printed last. Each link works once.</p></body>
</html>
"""


class Door:
    """ASGI middleware that admits a browser or answers 403.

    Args:
        app: The console.
        port: The console's port.
        open_to_all: Paths that need no cookie.
        headers: The headers of every answer.
        on_entry: Called after a ticket was used and replaced by a new one.

    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        port: int,
        open_to_all: frozenset[str],
        headers: dict[str, str],
        on_entry: Callable[[], object],
    ) -> None:
        self._app = app
        self._port = port
        self._hosts = frozenset(f"{name}:{port}" for name in LOOPBACK)
        self._open_to_all = open_to_all
        self._headers = headers
        self._on_entry = on_entry
        self._ticket = secrets.token_urlsafe(32)
        self._pass = secrets.token_urlsafe(32)
        # Browsers send cookies to all ports of a host, so the name has the port: two consoles do not overwrite each other's cookie.
        self._cookie = f"roomwire-console-{port}"

    @property
    def link(self) -> str:
        """The link that opens the console once."""
        return f"http://127.0.0.1:{self._port}/?token={self._ticket}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> Response | None:
        """Return the answer to a request that must not reach the console, or None."""
        if not self._is_near(request.headers):
            return _refusal()
        if request.method not in {"GET", "HEAD"} and not self._is_own(request.headers):
            return _refusal()
        if request.url.path in self._open_to_all:
            return None
        ticket = request.query_params.get("token", "")
        is_known = _is_same(request.cookies.get(self._cookie, ""), self._pass)
        if request.url.path == "/" and ticket and (is_known or _is_same(ticket, self._ticket)):
            return self._entered(is_known=is_known)
        return None if is_known else _refusal()

    def _is_near(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        return len(hosts) == 1 and hosts[0].lower() in self._hosts

    def _is_own(self, headers: Headers) -> bool:
        return headers.getlist("origin") == [f"http://{headers['host']}"]

    def _entered(self, *, is_known: bool) -> Response:
        """Return a redirection to the console that removes the ticket from the address."""
        answer = RedirectResponse("/", status_code=303)
        if not is_known:
            self._ticket = secrets.token_urlsafe(32)
            answer.set_cookie(self._cookie, self._pass, httponly=True, samesite="strict")
            self._on_entry()
        return answer


def _refusal() -> Response:
    return HTMLResponse(_REFUSED, status_code=403)


def _is_same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
