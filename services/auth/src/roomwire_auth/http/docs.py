"""The API's page at `/auth/docs`: Swagger UI, served from local files under a strict Content-Security-Policy."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from roomwire_auth.errors import PageFileMissing

WEB: Final = Path(__file__).parents[1] / "web"
SWAGGER: Final = ("swagger-ui-bundle.js", "swagger-ui.css")
PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",
    # Swagger UI's icons are data: URLs. It sets styles by script, which is no inline style.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def docs_routes() -> Sequence[BaseRoute]:
    """Return the routes of the page and its files.

    Raises:
        ConfigurationError: Swagger UI was not installed with the service.

    """
    for name in SWAGGER:
        if not (WEB / name).exists():
            raise PageFileMissing(name)

    async def page(_: Request) -> Response:
        return FileResponse(WEB / "docs.html", headers=PAGE_HEADERS)

    async def redirect(_: Request) -> Response:
        return RedirectResponse("/auth/docs")

    return [Route("/auth/docs", page), Route("/docs", redirect), Mount("/auth/web", _Files(directory=WEB))]


class _Files(StaticFiles):
    """Static files that browsers revalidate by ETag each time, so that an upgrade never mixes old and new files."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """See `StaticFiles`."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
