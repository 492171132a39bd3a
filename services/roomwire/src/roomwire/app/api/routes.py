"""The routes of the API, which handle HTTP only; `actions` does their work."""

from importlib.metadata import version
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Response, Security
from fastapi.security import HTTPBearer
from prometheus_client import Counter
from starlette.middleware import Middleware

from roomwire.app.api.actions import Actions
from roomwire.app.api.bodies import (
    MAX_KEY_CHARS,
    POSITION,
    Disconnect,
    Disconnected,
    HistoryAnswer,
    Move,
    Moved,
    Namespace,
    PresenceAnswer,
    Publish,
    Published,
    Room,
    RoomsAnswer,
    Standing,
    StandingChanged,
)
from roomwire.app.api.callers import Caller, Callers
from roomwire.app.api.gate import Gate, caller_of
from roomwire.app.api.rate import Rate
from roomwire.errors import Forbidden, NotFound, RateLimited, Unauthenticated
from roomwire.limits.costs import of_answer, of_receivers
from roomwire.protocol.sources import Proxies
from roomwire.serving.web import failures, framework
from roomwire.serving.web.bodies import refusals
from roomwire.serving.web.middleware import BodyLimit, RequestCount, SecurityHeaders
from roomwire.serving.web.sources import Sources

PREFIX: Final = "/api/v1"
SCHEMA: Final = f"{PREFIX}/openapi.json"
MAX_LISTED: Final = 1_000
MAX_HISTORY: Final = 200

_BEARER: Final = HTTPBearer(auto_error=False, description="An access token, or the secret of a key.")
_REFUSALS: Final = refusals(Unauthenticated, Forbidden, NotFound, RateLimited)
_Caller = Annotated[Caller, Depends(caller_of)]


def api_app(
    actions: Actions,
    *,
    callers: Callers,
    rate: Rate,
    max_body_bytes: int,
    requests: Counter,
    proxies: Proxies,
) -> FastAPI:
    """Return the ASGI application of the API's port.

    Args:
        actions: Performs the calls.
        callers: Identifies callers.
        rate: Limits callers.
        max_body_bytes: Maximum size of a body.
        requests: Counts answers by route and status.
        proxies: The trusted proxies.

    """
    app = FastAPI(
        title="Roomwire gateway",
        summary="The application's HTTP API for backends.",
        version=version("roomwire"),
        openapi_url=SCHEMA,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(RequestCount, counter=requests),
            Middleware(SecurityHeaders),
            Middleware(Sources, proxies=proxies),
            Middleware(failures.Guard),
            Middleware(Gate, callers=callers, rate=rate, open_paths={SCHEMA}),
            Middleware(BodyLimit, max_body_bytes=max_body_bytes),
        ],
    )
    framework.install(app)
    framework.add_routes(app, _routes(actions, rate))
    return app


def _routes(actions: Actions, rate: Rate) -> APIRouter:
    router = APIRouter(
        prefix=PREFIX,
        dependencies=[Security(_BEARER)],
        responses=_REFUSALS,
        generate_unique_id_function=framework.operation_id,
    )

    @router.post("/publish")
    async def publish(
        caller: _Caller,
        body: Publish,
        idempotency_key: Annotated[
            str,
            Header(
                min_length=1,
                max_length=MAX_KEY_CHARS,
                description="Key of the request. If the request is repeated with it, each message is delivered once.",
            ),
        ] = "",
    ) -> Published:
        """Publish events to rooms, users or everyone, in order: all of them, or none if one is not allowed."""
        # The request itself has been counted.
        rate.charge(caller.id, len(body.messages) - 1)
        return Published(published=await actions.publish(caller, body.messages, key=idempotency_key))

    @router.get("/rooms")
    async def rooms(
        caller: _Caller,
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="Maximum number of rooms.")] = 100,
        namespace: Annotated[Namespace, Query()] = "/",
    ) -> RoomsAnswer:
        """Return the rooms with connected members, the largest first."""
        return RoomsAnswer(rooms=await actions.rooms(caller, namespace=namespace, limit=limit))

    @router.get("/presence")
    async def presence(
        caller: _Caller,
        room: Annotated[Room, Query()],
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="Maximum number of members.")] = 100,
        namespace: Annotated[Namespace, Query()] = "/",
    ) -> PresenceAnswer:
        """Return the members of a room on all gateways, connected or away."""
        answer = await actions.presence(caller, room, namespace=namespace, limit=limit)
        rate.charge(caller.id, of_receivers(len(answer.members)))
        return answer

    @router.get("/history", response_model=HistoryAnswer)
    async def history(
        caller: _Caller,
        room: Annotated[Room, Query()],
        after: Annotated[
            str,
            Query(
                pattern=POSITION,
                description="Position of a message; the messages after it are returned. Default: the newest messages.",
            ),
        ] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_HISTORY, description="Maximum number of messages.")] = 50,
        namespace: Annotated[Namespace, Query()] = "/",
    ) -> Response:
        """Return the history of a room, oldest message first."""
        answer = await actions.history(caller, room, namespace=namespace, after=after, limit=limit)
        text = answer.json_text()
        rate.charge(caller.id, of_answer(len(text)))
        return Response(text, media_type="application/json")

    @router.post("/disconnect")
    async def disconnect(caller: _Caller, body: Disconnect) -> Disconnected:
        """Disconnect all sockets of a user, and end its sessions whose clients are away."""
        return await actions.disconnect(caller, body.user, namespace=body.namespace)

    @router.post("/move")
    async def move(caller: _Caller, body: Move) -> Moved:
        """Move the connected members of a room, all or those of one user, to another."""
        return await actions.move(caller, body.room, body.to, namespace=body.namespace, user=body.user)

    @router.post("/ban")
    async def ban(caller: _Caller, body: Standing) -> StandingChanged:
        """Disconnect a user and refuse its new connections for some time, on all gateways; 0 seconds end a ban."""
        return await actions.ban(caller, body.user, for_s=body.for_s)

    @router.post("/mute")
    async def mute(caller: _Caller, body: Standing) -> StandingChanged:
        """Refuse the events that a user sends for some time, on all gateways; 0 seconds end a mute."""
        return await actions.mute(caller, body.user, for_s=body.for_s)

    return router
