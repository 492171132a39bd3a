"""Settings: read once from the environment, validated, then frozen.

This module owns how settings are read, listed (`--help`), shown (`check-config`) and refused. A service's own settings
are a subclass of `ServiceSettings`, the only place that names the service's environment variables.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from roomwire import logs
from roomwire.errors import ConfigurationError, UnusableFile
from roomwire.health.clocks import LEEWAY_S
from roomwire.health.memory import memory_limit
from roomwire.limits.http import MAX_TOKEN_BYTES
from roomwire.logs import LogFormat
from roomwire.redis.url import believing, parse_redis_url
from roomwire.serving.setting_names import OF_SERVICES, PREFIX, is_link, unknown

ENV_PREFIX = PREFIX
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _split_commas(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
"""A tuple of strings, separated by commas in the environment."""


def _default_node_name() -> str:
    name = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower())
    return name.strip("-")[:63].strip("-") or "node"


class ServiceSettings(BaseSettings):
    """The settings of every Roomwire service. Each field is the environment variable `ROOMWIRE_<FIELD>`.

    A field that holds a secret can also be read from the file that `ROOMWIRE_<FIELD>_FILE` names.
    """

    # Only the class that a process reads is built, when it reads it; building those that it inherits from doubled the time to import them.
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, defer_build=True
    )

    host: str = Field(
        "localhost",
        description="Address that all ports bind to, IPv4 or IPv6. `localhost` serves this machine only; `::` serves every "
        "address of both families.",
    )
    port: int = Field(description="Public port. `0` lets the system choose.", ge=0, le=65535)
    ops_port: int = Field(
        description="Operations port, which serves /livez, /readyz and /metrics. `0` lets the system choose.",
        ge=0,
        le=65535,
    )
    node_name: str = Field(
        default_factory=_default_node_name,
        description="Name of this process, unique among the processes of its service: 1 to 63 lower-case letters, digits and "
        "hyphens. Default: the host name.",
    )
    redis_ca_file: Path | None = Field(
        None,
        description="CA certificates (PEM) for a Redis that speaks TLS. Used when the URL has no `ssl_ca_certs`. Default: the "
        "system's.",
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis or Valkey: redis://, redis+sentinel://, redis+cluster:// or unix://; docs/redis.md. Must name "
        "the same Redis and database on all services; the user may differ.",
    )
    redis_prefix: str = Field("rw", description="Prefix of every key in Redis.", pattern=r"^[\w-]{1,32}$")
    redis_timeout_s: float = Field(1.0, description="Timeout of one call to Redis.", gt=0, le=60)
    auth_issuer: str = Field("roomwire", description="The issuer (`iss`) of access tokens.", min_length=1)
    auth_audience: str = Field("roomwire", description="The audience (`aud`) of access tokens.", min_length=1)
    auth_leeway_s: float = Field(
        LEEWAY_S,
        description="Clock difference between the token's issuer and this service that is tolerated before tokens are refused."
        " `0` tolerates none. Must be identical on all services.",
        ge=0,
        le=300,
    )
    max_token_bytes: int = Field(
        MAX_TOKEN_BYTES,
        description="Maximum length of an access token. A token in a header or a URL must also fit ROOMWIRE_MAX_HEADER_BYTES "
        "or ROOMWIRE_MAX_URL_BYTES.",
        ge=256,
        le=1_000_000,
    )
    policy_file: Path | None = Field(
        None,
        description="TOML file with the permissions of each role, docs/tokens.md. Must be identical on all services. Default: "
        "the file in the package.",
    )
    cors_origins: CommaSeparated = Field(
        (),
        description="Origins of the web pages that may call this service, separated by commas, or `*` for any page. Default: "
        "the service's own origin.",
    )
    trusted_proxies: CommaSeparated = Field(
        (),
        description="Addresses or networks, separated by commas, whose X-Forwarded-* and Forwarded headers are trusted. "
        "Default: none.",
    )
    max_body_bytes: int = Field(
        1_000_000, description="Maximum size of a message or of an HTTP request body.", ge=1_000
    )
    max_header_bytes: int = Field(
        16_384,
        description="Maximum size of a request line together with its headers.",
        ge=1_024,
        le=1_048_576,
    )
    max_url_bytes: int = Field(
        13_312,
        description="Maximum length of a request URL, including a query that may carry a token.",
        ge=256,
        le=65_536,
    )
    max_headers: int = Field(100, description="Maximum number of headers in a request.", ge=10, le=1_000)
    max_pipelined_requests: int = Field(
        64,
        description="Maximum number of pipelined requests that wait on one connection.",
        ge=1,
        le=1_000,
    )
    header_timeout_s: float = Field(
        10.0, description="Time limit for receiving the headers of a request.", ge=0.1, le=300
    )
    body_timeout_s: float = Field(
        30.0,
        description="Time limit for receiving the body of a request, counted from the end of its headers.",
        ge=0.1,
        le=3600,
    )
    keep_alive_s: float = Field(
        95.0,
        description="Time after which an idle connection is closed, on every port. Must exceed the idle timeout of the proxy "
        "in front, docs/platforms.md.",
        ge=0.1,
        le=86_400,
    )
    max_connections: int = Field(
        20_000,
        description="Maximum number of open connections to this process, WebSockets included, and of Socket.IO sessions, which "
        "may share connections; further ones get 503. `0` disables the limit.",
        ge=0,
    )
    max_connections_per_address: int = Field(
        0,
        description="Maximum number of open connections from one address (IPv6: from one /64). `0` disables it. "
        "Leave it at 0 behind a proxy: the limit counts TCP peers, so all clients share one address.",
        ge=0,
    )
    max_turned_away: int = Field(
        256,
        description="Maximum number of excess connections that are kept open long enough to receive a 503; further ones are "
        "closed at once. `0` closes all of them at once.",
        ge=0,
        le=100_000,
    )
    linger_s: float = Field(
        1.0,
        description="Grace period in which a refused client's remaining bytes are read and discarded, so that the client "
        "receives the answer.",
        ge=0.1,
        le=60,
    )
    max_linger_bytes: int = Field(
        262_144, description="Maximum bytes read in that period. `0` reads none.", ge=0
    )
    memory_limit_bytes: int | None = Field(
        None,
        description="Memory that this process may use. Near it new sessions are refused, then the largest holders are closed. `0` "
        "disables the guard. Default: the container's limit; without one there is no guard.",
        ge=0,
    )
    tls_cert_file: Path | None = Field(
        None,
        description="Certificate chain (PEM) of the public port. The file is read again when it changes. Default: plain HTTP.",
    )
    tls_key_file: Path | None = Field(
        None,
        description="Private key (PEM, without a passphrase) of that certificate.",
        validate_default=True,
    )
    drain_s: float = Field(
        5.0,
        description="Period over which a stopping process closes its open connections. `0` closes all at once.",
        ge=0,
        le=3600,
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of log lines."
    )
    log_format: LogFormat = Field(
        "auto", description="Format of log lines. `auto` means `console` on a terminal and `json` elsewhere."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment and secret files, and nothing else."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @field_validator("node_name")
    @classmethod
    def _check_node_name(cls, value: str) -> str:
        if not _NODE_NAME.fullmatch(value):
            raise ValueError(
                "use 1 to 63 lower-case letters, digits and '-', which must not be first or last"
            )
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        url, ca_file = value.get_secret_value(), info.data.get("redis_ca_file")
        if url.startswith("memory://"):
            return value
        try:
            parse_redis_url(url)
            return value if ca_file is None else SecretStr(believing(url, ca_file))
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("*",):
            return value
        for origin in value:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(
                    f"{origin!r} is not an origin like https://chat.example.org, and * must be the only entry"
                )
        return value

    @field_validator("tls_key_file")
    @classmethod
    def _check_certificate_and_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        # An error in the certificate's own value has already been reported.
        if "tls_cert_file" in info.data and (value is None) is not (info.data["tls_cert_file"] is None):
            raise ValueError("set ROOMWIRE_TLS_CERT_FILE and ROOMWIRE_TLS_KEY_FILE, or neither")
        return value

    @classmethod
    def load(cls) -> Self:
        """Read the settings from the environment.

        Raises:
            ConfigurationError: A setting is missing, invalid or unknown; the message names each such setting and its valid values.

        """
        complaints = [*unknown(os.environ.items(), OF_SERVICES | cls._names())]
        try:
            settings = cls()
        except ValidationError as error:
            complaints += _complaints(cls, error)
        if complaints:
            raise ConfigurationError("; ".join(complaints))
        return settings

    @classmethod
    def _names(cls) -> frozenset[str]:
        """Return the names of the variables that are read."""
        secrets = {f"{name}_file" for name, field in cls.model_fields.items() if _is_secret(field)}
        return frozenset(f"{ENV_PREFIX}{name.upper()}" for name in {*cls.model_fields, *secrets})

    @staticmethod
    def secret_file(name: str) -> Path | None:
        """Return the file that a field's secret is read from, so that it can be read again; None if there is none."""
        variable = f"{ENV_PREFIX}{name.upper()}"
        path = os.environ.get(f"{variable}_FILE", "")
        return Path(path) if path and not os.environ.get(variable) else None

    @classmethod
    def listing(cls) -> "Iterator[Setting]":
        """Yield each setting for `--help` and docs/settings.md."""
        for name, field in cls.model_fields.items():
            yield Setting(f"{ENV_PREFIX}{name.upper()}", _shown_default(field), field.description or "")

    def memory_limit(self) -> int | None:
        """Return the memory that this process may use, in bytes; None or 0 if there is no limit."""
        return memory_limit() if self.memory_limit_bytes is None else self.memory_limit_bytes

    @property
    def has_traces(self) -> bool:
        """Whether the service makes spans, whose ids its log lines have."""
        return False

    def configure_logs(self) -> None:
        """Set up the process's logging."""
        logs.configure(
            level=self.log_level, log_format=self.log_format, node=self.node_name, has_traces=self.has_traces
        )

    def lines(self) -> Iterator[str]:
        """Yield the effective settings as lines of an environment file; secrets are masked."""
        return (f"{variable}={value}" for variable, value in self.effective())

    def effective(self) -> Iterator[tuple[str, str]]:
        """Yield the environment variables and their effective values; secrets are masked."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            yield (
                f"{ENV_PREFIX}{name.upper()}",
                _shown(_mask(value) if isinstance(value, SecretStr) else value),
            )


class Setting(NamedTuple):
    """One line of a settings table."""

    variable: str
    default: str
    description: str


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads a secret from the file that `ROOMWIRE_<FIELD>_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{ENV_PREFIX}{field_name.upper()}_FILE", "")
        if not path or not _is_secret(field):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeError) as error:
            problem = error.strerror if isinstance(error, OSError) else "This is not UTF-8 text"
            raise UnusableFile(
                Path(path), problem=problem, setting=f"{ENV_PREFIX}{field_name.upper()}_FILE"
            ) from None

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation in {SecretStr, SecretStr | None}


def _complaints(settings: type[ServiceSettings], error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        field_name = str(detail["loc"][0])
        name = f"{ENV_PREFIX}{field_name.upper()}"
        if detail["type"] == "missing":
            yield f"{name} is not set"
            continue
        if is_link(detail["input"]):
            yield (
                f"{name} is an address that Kubernetes sets for a Service of that name: set `enableServiceLinks: false` in"
                f" the pod, or {name} itself (it is {detail['input']!r})"
            )
            continue
        reason = detail["msg"].removeprefix("Value error, ")
        given = "" if _is_secret(settings.model_fields[field_name]) else f" (it is {detail['input']!r})"
        yield f"{name}: {reason[0].lower()}{reason[1:]}{given}"


def _mask(secret: SecretStr) -> str:
    """Return a secret URL without its credentials."""
    value = secret.get_secret_value()
    if "://" not in value:
        return "********"
    parts = urlsplit(value)
    userinfo, _, address = parts.netloc.rpartition("@")
    shown = f"{parts.scheme}://{'********@' if userinfo else ''}{address}{parts.path}"
    # Redis clients also accept a password in the query.
    return f"{shown}?********" if parts.query else shown


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    if field.default_factory is not None:
        return ""
    default = field.default
    return _shown(default.get_secret_value() if isinstance(default, SecretStr) else default)
