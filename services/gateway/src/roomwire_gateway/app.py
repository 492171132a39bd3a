"""The chat as an application: its gateway, its page and its HTTP API, in addition to what every application has."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from roomwire import App
from roomwire.app.node import Node
from roomwire.app.settings import GatewaySettings
from roomwire_gateway.chat import ChatGateway
from roomwire_gateway.page import page_app
from roomwire_gateway.settings import Settings

if TYPE_CHECKING:
    from roomwire_gateway.actions import ChatActions


def chat(settings: Settings | None = None) -> App:
    """Return the chat: `ROOMWIRE_APP=roomwire_gateway.app:chat`.

    Args:
        settings: The settings. Default: those of the environment.

    Raises:
        ConfigurationError: The page is enabled, but the client library was not installed with it.

    """
    settings = settings or Settings.load()
    return App(ChatGateway, lifespan=_lifespan, http=page_app(enabled=settings.page), api=_api)


def node(settings: Settings) -> Node:
    """Return a gateway process that serves the chat."""
    return Node(chat(settings), settings)


@contextlib.asynccontextmanager
async def _lifespan(app: App) -> AsyncIterator[None]:
    has_api = bool(app.get(GatewaySettings).api_port)
    app.add(ChatGateway(user_rooms=has_api, moderated=has_api))
    yield


def _api(app: App) -> "ChatActions":
    from roomwire_gateway.actions import ChatActions  # noqa: PLC0415 - the API's bodies are slow to import, and it is often off

    return ChatActions(app.get(ChatGateway))
