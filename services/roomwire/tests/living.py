"""A service in the tests' own process: its life around an application that notes what is done to it."""

import asyncio
import contextlib

import httpx
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from roomwire.errors import Unavailable
from roomwire.health.dependencies import Dependencies
from roomwire.serving.process import _Process


class FakeApplication:
    """Notes what is done to it; fails to start as often as it is told."""

    def __init__(self, failures=0):
        self.done = []
        self.state = "ok"
        self.failures = failures
        self.registry = CollectorRegistry()
        self.dependencies = Dependencies(self.registry)
        Counter("visits", "Visits.", registry=self.registry).inc()
        self.websocket = None
        self.asgi = Starlette(routes=[Route("/", lambda _: PlainTextResponse("public"))])
        self.draining, self.drained = asyncio.Event(), asyncio.Event()
        self.drained.set()

    async def start(self):
        self.done.append("start")
        if self.failures:
            self.failures -= 1
            raise Unavailable("Nobody answers.")

    async def check(self):
        return {"backplane": self.state}

    async def drain(self):
        self.done.append("drain")
        self.draining.set()
        await self.drained.wait()

    async def close(self):
        self.done.append("close")


@contextlib.asynccontextmanager
async def living(application, settings):
    """A process of this application, and HTTP clients of its two ports."""
    process = _Process("tested", settings, application)
    running = asyncio.create_task(process.run())
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            yield process, running, http
    finally:
        process._stop.set()
        application.drained.set()
        async with asyncio.timeout(60):
            await running
