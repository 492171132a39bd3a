"""Mounted in Starlette or FastAPI, a program finds the same in `environ["asgi.scope"]` as on python-socketio, over every way in."""

import asyncio
import contextlib
import json

import httpx
import pytest
import socketio
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from waiting import until
from websockets import connect

from roomwire import Server
from roomwire.engine.fast import fast_websocket

KEYS = ("path", "path_params", "root_path", "app_root_path", "state")
"""The keys whose values are compared; of the objects in others, what they are."""

ONLY_IN_PASSING = {
    "route",
    "starlette.exception_handlers",
    "fastapi_middleware_astack",
    "fastapi_inner_astack",
}
"""What middleware and routers leave for themselves, which the fast path does not pass: see docs/drop-in.md."""


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.name = "outer"
    yield {"pool": "of connections"}


def at_the_root(framework, mounted):
    app = framework(lifespan=lifespan)
    app.mount("/", mounted("/socket.io"))
    return app


def behind_middleware(framework, mounted):
    app = at_the_root(framework, mounted)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    return CORSMiddleware(app, allow_origins=["*"])


def in_another(framework, mounted):
    inner = framework()
    inner.state.name = "inner"
    inner.mount("/ws", mounted("/api/ws/socket.io"))
    app = framework(lifespan=lifespan)
    app.mount("/api", inner)
    return app


def below_a_parameter(framework, mounted):
    app = framework(lifespan=lifespan)
    app.mount("/{tenant}/{number:int}", mounted("/acme/7/socket.io"))
    return app


def among_routes(framework, mounted):
    app = framework(lifespan=lifespan)
    app.router.routes.append(
        Mount("/api", routes=[Mount("/other", app=app), Mount("/{name}", app=mounted("/api/ws/socket.io"))])
    )
    return app


def around(framework, mounted):
    """The other way round: what is mounted is the framework."""
    return mounted("/socket.io", framework(lifespan=lifespan))


SHAPES = {
    at_the_root: "/socket.io/",
    behind_middleware: "/socket.io/",
    in_another: "/api/ws/socket.io/",
    below_a_parameter: "/acme/7/socket.io/",
    among_routes: "/api/ws/socket.io/",
    around: "/socket.io/",
}


@contextlib.asynccontextmanager
async def run_by_uvicorn(app, fast):
    """Serve an application as a program does, lifespan and all; yield its URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, ws=fast or "websockets-sansio", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def client_of(url, transport):
    """Hold a connection to the namespace `/`."""
    async with contextlib.AsyncExitStack() as stack:
        if transport == "websocket":
            address = f"{url.replace('http', 'ws')}?EIO=4&transport=websocket"
            socket = await stack.enter_async_context(connect(address, proxy=None))
            await socket.recv()
            await socket.send("40")
            await socket.recv()
            yield
        else:
            http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
            asked = {"EIO": "4", "transport": "polling"}
            opened = await http.get(url, params=asked)
            asked["sid"] = json.loads(opened.text[1:])["sid"]
            await http.post(url, params=asked, content="40")
            await http.get(url, params=asked)
            yield
            await http.post(url, params=asked, content="1")


async def found(kind, framework, shape, transport):
    """Return what a handler finds in the scope, key by key."""
    server = (socketio.AsyncServer if kind == "stock" else Server)(async_mode="asgi")
    scopes = []
    server.on("connect", lambda sid, environ: scopes.append(environ["asgi.scope"]))
    app = shape(framework, lambda path, other=None: socketio.ASGIApp(server, other, socketio_path=path))
    fast = fast_websocket(server.eio, SHAPES[shape]) if kind == "fast" else None
    async with run_by_uvicorn(app, fast) as url, client_of(f"{url}{SHAPES[shape]}", transport):
        # Read as a program does, while its client is connected.
        (scope,) = scopes
        told = {key: scope[key] if key in KEYS else type(scope[key]).__name__ for key in scope}
        told["name"] = getattr(scope["app"].state, "name", "") if "app" in scope else None
        assert dict(scope) == {key: scope.get(key) for key in [*scope]}
    if kind != "stock":
        await server.shutdown()
    # A list that is made when it is read.
    told["headers"] = {"KeptHeaders": "list"}.get(told["headers"], told["headers"])
    return told


@pytest.mark.parametrize("framework", [Starlette, FastAPI], ids=["starlette", "fastapi"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
async def test_a_mounted_program_finds_the_same_scope_as_on_python_socketio(shape, framework):
    for transport in ("polling", "websocket"):
        stock = await found("stock", framework, shape, transport)
        assert stock == await found("asgi", framework, shape, transport)
    fast = await found("fast", framework, shape, "websocket")
    assert {key: value for key, value in stock.items() if key not in ONLY_IN_PASSING} == fast
