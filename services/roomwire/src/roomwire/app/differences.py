"""Finds differences between a program and the settings, which `check` reports for an application with its own server.

Pure. The settings take precedence. The author of the program must be told, because nothing fails.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from roomwire.app.app import App
from roomwire.app.options import client_limits, cors, recovery_limits
from roomwire.app.settings import GatewaySettings
from roomwire.limits.client import Limits
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.server.client_managers import managed_log

_SETTINGS: Final[Mapping[str, str]] = {
    "max_payload_bytes": "max_body_bytes",
    "max_entries": "max_replay_messages",
    "max_bytes": "max_replay_bytes",
    "max_concurrent": "max_recoveries",
    "is_offered": "recovery",
}
"""The limits whose setting has another name."""


def differences(app: App, settings: GatewaySettings) -> Iterator[str]:
    """Yield a sentence for each argument that a setting overrides or restricts.

    Args:
        app: The app as it was declared; its server has not been given the settings yet.
        settings: The settings, which take precedence.

    """
    if app.authenticate is not None:
        yield f"the program's authenticate is called only after ROOMWIRE_AUTH_MODE={settings.auth_mode}"
    if app.policy is not None and settings.policy_file is not None:
        yield "the program's policy has no effect: ROOMWIRE_POLICY_FILE names another"
    yield from _of_connections(app, settings.max_connections_per_user)
    if app.server is None:
        return
    given = app.server.arguments
    if given["log"] is not None:
        yield "the server's log has no effect: ROOMWIRE_REDIS_URL determines the log"
    if managed_log(given.get("client_manager")) is not None:
        yield "the server's client_manager has no effect: ROOMWIRE_REDIS_URL determines the log"
    for name, (setting, value, default) in _in_force(settings).items():
        if name in given and given[name] not in (default, value):
            yield _sentence(name, given[name], setting, settings)
    for own, of_settings in [
        (given["limits"], client_limits(settings)),
        (given["recovery"], recovery_limits(settings)),
    ]:
        yield from _of_bounds(own, of_settings, settings)


def _of_connections(app: App, most: int) -> Iterator[str]:
    if not most:
        return
    for gateway in app.gateways:
        if gateway.max_connections_per_user not in (0, most):
            name = (gateway if isinstance(gateway, type) else type(gateway)).__name__
            yield (
                f"the max_connections_per_user={gateway.max_connections_per_user} of {name} has no effect: "
                f"ROOMWIRE_MAX_CONNECTIONS_PER_USER={most} applies"
            )
    if app.server is not None and app.server.registered_functions():
        yield "ROOMWIRE_MAX_CONNECTIONS_PER_USER has no effect on function handlers: only gateways bound their users"


def _in_force(settings: GatewaySettings) -> Mapping[str, tuple[str, object, object]]:
    """Return the arguments that are single values: the setting of each, its value, and the argument's default."""
    return {
        "node_name": ("node_name", settings.node_name, "node"),
        "trusted_proxies": ("trusted_proxies", settings.trusted_proxies, ()),
        "cors_allowed_origins": ("cors_origins", cors(settings.cors_origins), None),
        "cors_credentials": ("cors_origins", settings.cors_origins != ("*",), True),
        "transports": ("transports", list(settings.transports), None),
        "allow_upgrades": ("transports", "websocket" in settings.transports, True),
        "ping_interval": ("ping_interval_s", settings.ping_interval_s, 25),
        "ping_timeout": ("ping_timeout_s", settings.ping_timeout_s, 20),
        "max_http_buffer_size": ("max_body_bytes", settings.max_body_bytes, 1_000_000),
    }


def _of_bounds(own: object, of_settings: msgspec.Struct, settings: GatewaySettings) -> Iterator[str]:
    if not isinstance(own, Limits | RecoveryLimits):
        return
    default = type(own)()
    for name in own.__struct_fields__:
        said = getattr(own, name)
        if said not in (getattr(default, name), getattr(of_settings, name)):
            yield _sentence(name, said, _SETTINGS.get(name, name), settings)


def _sentence(name: str, said: object, setting: str, settings: GatewaySettings) -> str:
    variable = f"ROOMWIRE_{setting.upper()}"
    in_force = dict(settings.effective()).get(variable)
    wins = "no setting corresponds to it" if in_force is None else f"{variable}={in_force} applies"
    return f"the server's {name}={said!r} has no effect: {wins}"
