"""A shop's backend in FastAPI that tells customers about their orders, whichever gateway they are connected to."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import FastAPI, Request

from roomwire import App, Gateway, Socket, emits, subscribe

Order = Annotated[str, msgspec.Meta(pattern=r"^[\w-]{22}$")]
"""The secret number of an order: 128 random bits, which the customer alone gets."""


class Notifications(Gateway):
    """Tells the customers of an order what happens to it."""

    paid = emits("paid", dict[str, str])
    # The courier emits it, who is no gateway.
    shipped = emits("shipped", dict[str, str])

    @subscribe("watch")
    async def watch(self, socket: Socket, order: Order) -> None:
        """Let a client hear of an order: its number is the permission."""
        await socket.join(order)


http = FastAPI()


@http.post("/orders", status_code=HTTPStatus.CREATED)
async def create() -> str:
    """Take an order and return its number."""
    return secrets.token_urlsafe(16)


@http.post("/orders/{order}/payment", status_code=HTTPStatus.NO_CONTENT)
async def pay(order: str, request: Request) -> None:
    """Take a payment, and tell the customer; a payment that is sent again is told once."""
    notifications: Notifications = request.app.state.notifications
    await notifications.paid({"order": order}, to=order, message_id=f"paid:{order}")


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Let the backend reach the gateway."""
    notifications = Notifications()
    app.add(notifications)
    http.state.notifications = notifications
    yield


app = App(Notifications, lifespan=lifespan, http=http)
