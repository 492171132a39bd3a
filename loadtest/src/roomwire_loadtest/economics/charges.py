"""What the service charges for each thing, and the rate at which one sender may therefore send it. Pure.

Every figure is read from the settings and the tables of the code: a charge that changes there changes here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from roomwire.app.api.routes import MAX_LISTED
from roomwire.limits import costs
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.costs import COSTS, of_crowd
from roomwire_gateway.settings import Settings as GatewaySettings
from roomwire_loadtest.economics.things import EVENTS, Thing

_MINUTE_S: Final = 60.0
_WITHOUT_HANDLER: Final = frozenset({"EVENT", "BINARY_EVENT"})
_CONNECTS: Final = frozenset({"CONNECT", "DISCONNECT"})


_WINDOW_S: Final[float] = AuthSettings.model_fields["throttle_window_s"].default
_PASSWORD: Final = {"ROOMWIRE_MAX_PASSWORD_CHECKS_PER_MINUTE": _MINUTE_S}
_WRONG_PASSWORD: Final = _PASSWORD | {"ROOMWIRE_MAX_LOGIN_FAILURES": _WINDOW_S}
_AUTH_OF_ALL: Final[Mapping[str, Mapping[str, float]]] = {
    "POST /auth/register": {
        "ROOMWIRE_MAX_REGISTRATIONS_PER_MINUTE": _MINUTE_S,
        "ROOMWIRE_MAX_REGISTRATIONS_PER_ADDRESS": _WINDOW_S,
    },
    "POST /auth/login": _WRONG_PASSWORD,
    "POST /auth/guest": {
        "ROOMWIRE_MAX_GUESTS_PER_MINUTE": _MINUTE_S,
        "ROOMWIRE_MAX_GUESTS_PER_ADDRESS": _WINDOW_S,
    },
    "POST /auth/token": {"ROOMWIRE_MAX_LOGIN_FAILURES": _WINDOW_S},
}
"""The settings of what anybody may ask of auth, and the seconds that each counts over."""
_AUTH_OF_ACCOUNTS: Final[Mapping[str, Mapping[str, float]]] = {
    "POST /auth/password": _PASSWORD,
    "POST /auth/delete-account": _WRONG_PASSWORD,
}
"""The same, of what only accounts may ask."""


class Charge(msgspec.Struct, frozen=True):
    """A rate at which a sender may send a thing.

    Attributes:
        setting: The setting with the rate.
        per_s: The messages a second.
        at_once: The messages that may come at once, before the rate holds.
        is_of_connection: Whether each new connection has it anew.
        needs_addresses: Whether it holds only where the addresses of clients are known.

    """

    setting: str
    per_s: float
    at_once: float
    is_of_connection: bool = False
    needs_addresses: bool = False

    def most(self, seconds: float, connections: int) -> float:
        """Return how many messages a sender may send in some time, over connections that follow one another."""
        return self.at_once * (connections if self.is_of_connection else 1) + self.per_s * seconds


def units_of(thing: Thing, *, crowd: int, answer_bytes: float) -> int:
    """Return the price of a thing with its answer and its crowd, in units of `roomwire.limits.costs`; 0 if it has none.

    Args:
        thing: The thing.
        crowd: The members of the crowd.
        answer_bytes: The bytes of its answer.

    """
    if thing.surface == "event":
        members = crowd if EVENTS[thing.name].has_crowd else 0
        return COSTS.get(thing.name, 1) + of_crowd(thing.name, members) + costs.of_answer(int(answer_bytes))
    if thing.surface == "Socket.IO" and thing.name in _WITHOUT_HANDLER:
        return 1
    if thing.surface == "Socket.IO" and thing.name in _CONNECTS:
        return costs.CONNECT
    if thing.surface == "API" and thing.token != "none":  # noqa: S105 - no token, but that there is none
        more = {
            "GET /api/v1/presence": costs.of_receivers(min(crowd, MAX_LISTED)),
            "GET /api/v1/history": costs.of_answer(int(answer_bytes)),
        }
        return 1 + more.get(thing.name, 0)
    return 0


def charges_of(thing: Thing, *, crowd: int, answer_bytes: float) -> Sequence[Charge]:
    """Return the charges that bound the rate of a thing; none if nothing does. The arguments are those of `units_of`."""
    if thing.surface == "auth":
        settings = _AUTH_OF_ALL.get(thing.name, {})
        if thing.token == "account":  # noqa: S105 - the kind of a token
            settings = settings or _AUTH_OF_ACCOUNTS.get(thing.name, {})
        return [_window(setting, window_s) for setting, window_s in settings.items()]
    units = units_of(thing, crowd=crowd, answer_bytes=answer_bytes)
    if not units:
        return ()
    if thing.surface == "API":
        return (_rate("ROOMWIRE_API_MAX_PER_S", units),)
    own = _rate("ROOMWIRE_MAX_EVENTS_PER_S", units, is_of_connection=True)
    if thing.surface == "Socket.IO" and thing.name in _CONNECTS:
        # The first ones of a connection are free, and no user's rate counts them.
        return (msgspec.structs.replace(own, at_once=own.at_once + _free_connects()),)
    if thing.token == "none":  # noqa: S105 - no token, but that there is none
        return (own,)
    return own, _rate("ROOMWIRE_MAX_EVENTS_PER_USER_PER_S", units)


def times_of_one_connection(setting: str) -> float:
    """Return how many connections at their rate of events another rate of events allows."""
    return _default(GatewaySettings, setting) / _default(GatewaySettings, "ROOMWIRE_MAX_EVENTS_PER_S")


def _default(settings: type[GatewaySettings | AuthSettings], setting: str) -> float:
    value: float = settings.model_fields[setting.removeprefix("ROOMWIRE_").lower()].default
    return value


def _free_connects() -> float:
    return _default(GatewaySettings, "ROOMWIRE_MAX_NAMESPACES")


def _rate(setting: str, units: int, *, is_of_connection: bool = False) -> Charge:
    """Return a rate of events or calls, which may come at once as often as in a second."""
    per_s = _default(GatewaySettings, setting) / units
    return Charge(setting, per_s, per_s, is_of_connection)


def _window(setting: str, window_s: float) -> Charge:
    """Return a count of auth within a window: within that of the throttle, for each address."""
    most = _default(AuthSettings, setting)
    return Charge(setting, most / window_s, most, needs_addresses=window_s == _WINDOW_S)
