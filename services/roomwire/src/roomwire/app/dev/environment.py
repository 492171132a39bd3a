"""The environment of an application under `roomwire dev`: its own variables, and defaults for the rest. Pure."""

from collections.abc import Mapping
from typing import Final

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
"""The names by which a browser on this machine reaches a port."""

_DEFAULTS: Final[Mapping[str, str]] = {
    "ROOMWIRE_REDIS_URL": "memory://",
    "ROOMWIRE_NODE_NAME": "dev",
    # No program relies on its number.
    "ROOMWIRE_OPS_PORT": "0",
    # A developer who has saved a file waits for the new code.
    "ROOMWIRE_DRAIN_S": "0",
}


def of_settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment from which the settings are read.

    Args:
        environ: The environment of the command. It takes precedence, except that the address is always loopback.

    """
    given = {name: value for name, value in environ.items() if value}
    return {**_DEFAULTS, **given, "ROOMWIRE_HOST": "localhost"}


def of_process(
    settings: Mapping[str, str], *, port: int, console_port: int, keys_url: str
) -> Mapping[str, str]:
    """Return the environment of the application's process.

    Args:
        settings: The environment from which the settings are read.
        port: The application's public port. Its own pages and the console may call it.
        console_port: The console's port.
        keys_url: URL of the keys of the console's tokens. If it is empty, the settings name the URL.

    """
    origins = [f"http://{name}:{number}" for number in (port, console_port) for name in LOOPBACK]
    given = settings.get("ROOMWIRE_CORS_ORIGINS", "")
    return {
        **settings,
        "ROOMWIRE_CORS_ORIGINS": given if given == "*" else ",".join([*filter(None, [given]), *origins]),
        **({"ROOMWIRE_AUTH_JWKS_URL": keys_url} if keys_url else {}),
        # The application's own output keeps its place among the log lines, even if both go to a file.
        "PYTHONUNBUFFERED": "1",
    }


def has_own_keys(environ: Mapping[str, str]) -> bool:
    """Say whether the settings name an issuer of tokens, which then replaces the console's."""
    return bool(environ.get("ROOMWIRE_AUTH_JWKS_URL") or environ.get("ROOMWIRE_AUTH_DISCOVERY_URL"))
