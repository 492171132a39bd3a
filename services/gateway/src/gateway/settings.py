"""The gateway's settings: the only place that names its environment variables."""

from typing import Literal

from pydantic import Field

from roomwire.settings import ServiceSettings


class Settings(ServiceSettings):
    """What a gateway can be told, beside what every service can."""

    port: int = Field(8000, description="Public port: Socket.IO and the page.", ge=0, le=65535)
    ops_port: int = Field(9000, description="Operations port: /livez, /readyz, /metrics.", ge=0, le=65535)
    auth_mode: Literal["required", "optional", "off"] = Field(
        "required",
        description="Whether clients need a token; optional: without one they are anonymous; off: tokens are ignored.",
    )
    auth_jwks_url: str = Field(
        "http://127.0.0.1:8001/auth/.well-known/jwks.json",
        description="Where the public keys of access tokens are.",
        pattern=r"^https?://",
    )
    ping_interval_s: float = Field(25.0, description="How often a client is pinged.", ge=0.1, le=300)
    ping_timeout_s: float = Field(
        20.0, description="How long a client may take to answer a ping.", ge=0.1, le=300
    )
    page: bool = Field(default=True, description="Whether the chat page is served at /.")
