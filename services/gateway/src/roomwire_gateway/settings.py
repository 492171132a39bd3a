"""The chat's settings: those of every gateway, and its own."""

from pydantic import Field

from roomwire.app.settings import GatewaySettings


class Settings(GatewaySettings):
    """The chat's settings, in addition to those of every gateway."""

    page: bool = Field(default=True, description="Whether the chat page is served at /.")
