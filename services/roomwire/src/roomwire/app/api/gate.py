"""ASGI middleware in front of the API: it admits only known callers, within their rate."""

from collections.abc import Collection

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from roomwire.app.api.callers import Caller, Callers
from roomwire.app.api.rate import Rate

_KEY = "roomwire.caller"


class Gate:
    """Admits known callers before anything but the head of their request is read.

    Args:
        app: The application behind the gate, where `caller_of` returns the caller.
        callers: Identifies callers.
        rate: Limits callers.
        open_paths: The paths that need no caller.

    """

    def __init__(self, app: ASGIApp, *, callers: Callers, rate: Rate, open_paths: Collection[str]) -> None:
        self._app = app
        self._callers = callers
        self._rate = rate
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI; raise `ClientError` for a caller that is not admitted."""
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            caller = await self._callers.identify(Headers(scope=scope).get("authorization", ""))
            self._rate.admit(caller.id)
            # `Sources` has put the client's address into the scope.
            address = scope["client"][0] if scope.get("client") else ""
            scope[_KEY] = msgspec.structs.replace(caller, address=address)
        await self._app(scope, receive, send)


def caller_of(request: Request) -> Caller:
    """Return the admitted caller."""
    caller: Caller = request.scope[_KEY]
    return caller
