"""The settings of what Node's emitters say, which every gateway has; `roomwire.app.nodejs` itself is imported only where they are on."""

from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from roomwire.errors import ConfigurationError
from roomwire.redis.url import believing, parse_redis_url
from roomwire.serving.settings import ServiceSettings

_NAME: Final = r"^[\w.:/{}-]{1,128}$"


class EmitterSettings(ServiceSettings):
    """What of Node's emitters is listened to, and where."""

    nodejs_emitters: Literal["off", "pubsub", "streams", "both"] = Field(
        "off",
        description="Emitters of programs on Node that clients hear, docs/from-nodejs.md: `pubsub` means "
        "@socket.io/redis-emitter, `streams` @socket.io/redis-streams-emitter. Must be identical on all gateways.",
    )
    nodejs_emitters_key: str = Field(
        "socket.io", description="Option `key` of the emitters that publish.", pattern=_NAME
    )
    nodejs_emitters_stream: str = Field(
        "socket.io", description="Option `streamName` of the emitters that append to a stream.", pattern=_NAME
    )
    nodejs_emitters_redis_url: SecretStr | None = Field(
        None, description="Redis or Valkey of the emitters, if it is not that of ROOMWIRE_REDIS_URL."
    )

    @field_validator("nodejs_emitters_redis_url")
    @classmethod
    def _check_emitters_url(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            return None
        url, ca_file = value.get_secret_value(), info.data.get("redis_ca_file")
        try:
            has_tls = parse_redis_url(url).has_tls
            return SecretStr(believing(url, ca_file)) if has_tls and ca_file is not None else value
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
