"""Converts our errors, and unexpected ones, to the one form of failures that clients receive."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roomwire.errors import ClientError, Internal, RateLimited, TooLarge, Unavailable
from roomwire.logs import get_logger

_log = get_logger(__name__)


def answer(error: ClientError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as an HTTP answer."""
    headers = dict(headers or {})
    if error.http_status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RateLimited | Unavailable) and error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, TooLarge):
        # The rest of the body will not be read: otherwise the server would read it to its end, if it has one.
        headers["Connection"] = "close"
    return JSONResponse(error.body(), status_code=error.http_status, headers=headers)


class Guard:
    """ASGI middleware that converts exceptions of the application to answers; unexpected ones are logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientError as error:
            failure = error
        except Exception:
            _log.exception("request failed", method=scope.get("method"), path=scope.get("path"))
            failure = Internal()
        else:
            return
        if not started and scope["type"] == "http":
            await answer(failure)(scope, receive, send)
