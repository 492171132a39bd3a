"""The environment of an application under `roomwire dev`: what is its own, and what holds for lack of anything else. Pure."""

from collections.abc import Mapping
from typing import Final

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
"""The names by which a browser on this machine reaches a port."""

_DEFAULTS: Final[Mapping[str, str]] = {
    "ROOMWIRE_REDIS_URL": "memory://",
    "ROOMWIRE_NODE_NAME": "dev",
    # No program depends on its number.
    "ROOMWIRE_OPS_PORT": "0",
    # A developer who has saved a file waits for the new code.
    "ROOMWIRE_DRAIN_S": "0",
}


def of_settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment that the settings are read from.

    Args:
        environ: That of the command: what it sets stays, but for the address, which is the loopback's.

    """
    given = {name: value for name, value in environ.items() if value}
    return {**_DEFAULTS, **given, "ROOMWIRE_HOST": "localhost"}


def of_process(
    settings: Mapping[str, str], *, port: int, console_port: int, keys_url: str
) -> Mapping[str, str]:
    """Return the environment of the application's process.

    Args:
        settings: That of the settings.
        port: The application's public port: pages of its own may call it, and those of the console.
        console_port: The console's.
        keys_url: Where the keys of the console's tokens are; empty: the settings say where keys are.

    """
    origins = [f"http://{name}:{number}" for number in (port, console_port) for name in LOOPBACK]
    given = settings.get("ROOMWIRE_CORS_ORIGINS", "")
    return {
        **settings,
        "ROOMWIRE_CORS_ORIGINS": given if given == "*" else ",".join([*filter(None, [given]), *origins]),
        **({"ROOMWIRE_AUTH_JWKS_URL": keys_url} if keys_url else {}),
        # What the application prints stands beside its log lines, also where they go into a file.
        "PYTHONUNBUFFERED": "1",
    }


def has_own_keys(environ: Mapping[str, str]) -> bool:
    """Say whether the settings name an issuer of tokens, which then stands in place of the console's."""
    return bool(environ.get("ROOMWIRE_AUTH_JWKS_URL") or environ.get("ROOMWIRE_AUTH_DISCOVERY_URL"))
