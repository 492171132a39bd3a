"""The chat's settings: those of every gateway, and its own."""

from pydantic import Field

from roomwire.app.settings import GatewaySettings


class Settings(GatewaySettings):
    """What the chat can be told, beside what every gateway can."""

    page: bool = Field(default=True, description="Whether the chat page is served at /.")
