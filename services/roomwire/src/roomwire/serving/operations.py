"""The operations port: liveness, readiness and metrics.

It is read-only: a client that may scrape must not be able to drain.
"""

from typing import Protocol

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from roomwire.serving.application import Application, State
from roomwire.serving.web.middleware import SecurityHeaders


class Lifecycle(Protocol):
    """Holds the state that the operations port reports."""

    state: State


def operations_app(lifecycle: Lifecycle, application: Application) -> Starlette:
    """Return the ASGI application of the operations port: `/livez`, `/readyz`, `/metrics`.

    `/livez` answers while the event loop runs. `/readyz` answers 200 from READY to DRAINING, even while dependencies
    do not work: their state is a field of the answer, because removing all pods at
    once would make it worse. `causes` has the cause of each dependency that does not work (`roomwire.health.dependencies.Cause`).
    """

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready = lifecycle.state is State.READY
        answer: dict[str, object] = {"status": lifecycle.state.value}
        if ready:
            answer |= await application.check()
        if causes := application.dependencies.causes():
            answer["causes"] = causes
        return JSONResponse(answer, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(application.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)],
        # A cached answer would report a past state.
        middleware=[Middleware(SecurityHeaders)],
    )
