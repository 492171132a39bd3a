"""Where a program and the settings both speak, and differ: what `check` shows of a server that an application brings.

Pure. The settings win; who wrote the program has to be told, as nothing fails.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from roomwire.app.app import App
from roomwire.app.options import client_limits, cors, recovery_limits
from roomwire.app.settings import GatewaySettings
from roomwire.limits.client import Limits
from roomwire.recovery.decisions import RecoveryLimits

_SETTINGS: Final[Mapping[str, str]] = {
    "max_payload_bytes": "max_body_bytes",
    "max_entries": "max_replay_messages",
    "max_bytes": "max_replay_bytes",
    "max_concurrent": "max_recoveries",
    "is_offered": "recovery",
}
"""The settings of bounds whose names are others."""


def differences(app: App, settings: GatewaySettings) -> Iterator[str]:
    """Yield a sentence for each argument that does not hold, or not alone, because a setting speaks of the same.

    Args:
        app: As it was declared: its server has not been given the settings yet.
        settings: What wins.

    """
    if app.authenticate is not None:
        yield f"authenticate of the program is asked after ROOMWIRE_AUTH_MODE={settings.auth_mode}"
    if app.policy is not None and settings.policy_file is not None:
        yield "policy of the program does not hold: ROOMWIRE_POLICY_FILE names another"
    if app.server is None:
        return
    given = app.server.arguments
    if given["log"] is not None:
        yield "log of the server does not hold: ROOMWIRE_REDIS_URL says where the log is"
    for name, (setting, value, default) in _in_force(settings).items():
        if name in given and given[name] not in (default, value):
            yield _sentence(name, given[name], setting, settings)
    for own, of_settings in [
        (given["limits"], client_limits(settings)),
        (given["recovery"], recovery_limits(settings)),
    ]:
        yield from _of_bounds(own, of_settings, settings)


def _in_force(settings: GatewaySettings) -> Mapping[str, tuple[str, object, object]]:
    """Return the arguments that are single values: the setting of each, what it says, and the argument's default."""
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
    wins = "no setting of its own is read" if in_force is None else f"{variable}={in_force} does"
    return f"{name}={said!r} of the server does not hold: {wins}"
