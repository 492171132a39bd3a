"""Converts a workload into units of work per second and things held, for the whole deployment. Pure.

Everything grows with the workload, and a gateway's work falls with the number of gateways; the planner relies on both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from roomwire.history.contract import HISTORY_ENTRIES, HISTORY_TTL_S
from roomwire.log.config import LogConfig
from roomwire_loadtest.capacity.planning.sizes import mean, spread
from roomwire_loadtest.capacity.planning.workload import Workload

_PING_TIMEOUT_S: Final = 20.0
_RENEWED_AT: Final = 0.8
"""The share of an access token's life after which a client renews it."""
COPIES: Final = 4
"""Copies of a message's text in Redis: one alone, two with its structured form, and one in the room's history."""
_KIB: Final = 1024


@dataclass(frozen=True)
class Kind:
    """Rooms of the same kind.

    Attributes:
        size: Members of each room.
        rooms: The number of rooms.
        messages_per_s: Messages per second in each room.
        joins_per_s: Joins per second of each room.
        announces: Whether the members are told of joins.

    """

    size: float
    rooms: float
    messages_per_s: float
    joins_per_s: float
    announces: bool

    @property
    def entries_per_s(self) -> float:
        """Entries per second that each room's members receive: messages and joins."""
        return self.messages_per_s + self.joins_per_s * self.announces


class Flows:
    """The rates of a workload.

    Args:
        workload: The workload.

    Attributes:
        comes_per_s: Connections per second.
        joins_per_s: Joins of rooms per second.
        messages_per_s: Messages per second.
        deliveries_per_s: Messages and announcements per second that clients receive.
        renewals_per_s: Tokens per second that connected clients renew.
        kinds: The rooms.

    """

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._times = LogConfig.for_pings(workload.deployment.ping_interval_s, _PING_TIMEOUT_S)
        self.kinds = list(_kinds(workload))
        self.comes_per_s = workload.connections / workload.stay_s
        self.renewals_per_s = workload.connections / (_RENEWED_AT * workload.deployment.access_ttl_s)
        self.joins_per_s = sum(kind.rooms * kind.joins_per_s for kind in self.kinds)
        self.messages_per_s = sum(kind.rooms * kind.messages_per_s for kind in self.kinds)
        self.deliveries_per_s = sum(kind.rooms * kind.entries_per_s * kind.size for kind in self.kinds)

    def heard_per_s(self, gateways: float) -> float:
        """Return the pushes per second to gateways, if this many share a log: one for each gateway that has a member."""
        return sum(kind.rooms * kind.entries_per_s * spread(kind.size, gateways) for kind in self.kinds)

    def gateway_work(self, gateways: float, *, of_a_log: float) -> dict[str, float]:
        """Return the work of one gateway of this many, of which `of_a_log` share a log."""
        polling, heard = self._workload.polling_share, self.heard_per_s(of_a_log)
        text_kib = self._workload.text_bytes / _KIB
        upgrading = polling + (1 - polling) * self._workload.upgrade_share
        pings = self._workload.connections / self._workload.deployment.ping_interval_s
        # A join was measured with its announcement to one member on one gateway, so its cost includes both.
        joins = sum(kind.rooms * kind.joins_per_s for kind in self.kinds if kind.announces)
        total = {
            "pings": pings,
            # A renewed token is verified like that of a new connection, and counted as one.
            "connects": self.comes_per_s * (1 - upgrading) + self.renewals_per_s,
            "upgrades": self.comes_per_s * upgrading,
            "joins": self.joins_per_s,
            "messages": self.messages_per_s,
            "heard": max(0.0, heard - joins),
            "deliveries": max(0.0, self.deliveries_per_s - joins),
            # An upper bound: messages that arrive while no poll is pending are fetched together by the next one.
            "requests": polling * (self.deliveries_per_s + self.messages_per_s + 2 * pings),
            "taken_kib": (self.messages_per_s + heard) * text_kib,
            "delivered_kib": self.deliveries_per_s * text_kib,
        }
        return {name: units / gateways for name, units in total.items()}

    def redis_work(self, logs: float, *, gateways: float) -> dict[str, float]:
        """Return the work of one log of this many, each with this many gateways."""
        pushes = self.heard_per_s(gateways)
        total = {
            "pings": self._workload.connections / self._workload.deployment.ping_interval_s,
            "opens": self.comes_per_s,
            "joins": self.joins_per_s,
            # An upper bound: a busy gateway makes one call for several messages.
            "calls": 2 * self.messages_per_s,
            "moments": 2 * self.messages_per_s,
            "publishes": 2 * self.messages_per_s,
            "keeps": self.messages_per_s,
            "pushes": pushes,
            "taken_kib": COPIES * self.messages_per_s * self._workload.text_bytes / _KIB,
            "pushed_kib": pushes * self._workload.text_bytes / _KIB,
            "logins": self.comes_per_s * (self._workload.password_share + self._workload.guest_share)
            + self.renewals_per_s,
        }
        # Each gateway reads the whole list at every heartbeat.
        registered = gateways * gateways / self._times.heartbeat_s
        return {"registered": registered} | {name: units / logs for name, units in total.items()}

    def auth_work(self) -> dict[str, float]:
        """Return the work of all auth services."""
        return {
            "guests": self.comes_per_s * self._workload.guest_share,
            "passwords": self.comes_per_s * self._workload.password_share,
            "refreshes": self.renewals_per_s,
        }

    @property
    def memberships(self) -> float:
        """The number of memberships of all clients in rooms."""
        return sum(kind.rooms * kind.size for kind in self.kinds)

    def redis_held(self) -> dict[str, dict[str, float]]:
        """Return what all logs hold, by kind, in the units of `model.WEIGHTS`."""
        connections = self._workload.connections
        # A session waits for its client for a while, even if the client never returns.
        sessions = connections + self.comes_per_s * self._times.session_ttl_s
        rooms = sum(kind.rooms for kind in self.kinds)
        text_kib = self._workload.text_bytes / _KIB
        streams = entries = messages = histories = 0.0
        for kind in self.kinds:
            ttl_s, cap = self._times.stream_ttl_s, self._times.max_stream_entries
            streams += 2 * kind.rooms * _alive(kind.entries_per_s, ttl_s)
            entries += kind.rooms * kept(kind.entries_per_s, ttl_s=ttl_s, at_most=cap)
            histories += kind.rooms * _alive(kind.messages_per_s, HISTORY_TTL_S)
            messages += kind.rooms * kept(kind.messages_per_s, ttl_s=HISTORY_TTL_S, at_most=HISTORY_ENTRIES)
        return {
            "session": {
                "sessions": sessions,
                "memberships": self.memberships * (sessions / connections if connections else 0.0),
            },
            "direct": {"sessions": self.comes_per_s * self._times.stream_ttl_s},
            "presence": {"memberships": self.memberships, "rooms": rooms},
            "log": {"streams": streams, "messages": entries, "text_kib": entries * text_kib},
            "history": {"streams": histories, "messages": messages, "text_kib": messages * text_kib},
        }


def _kinds(workload: Workload) -> Iterator[Kind]:
    rooms = workload.rooms
    shares = rooms.sizes.shares()
    count = workload.connections * rooms.of_each_client / mean(shares)
    # A client sends each message to one of its rooms.
    per_member = workload.messages_per_client_s / rooms.of_each_client if rooms.of_each_client else 0.0
    for size, share in shares:
        yield Kind(
            size=size,
            rooms=count * share,
            messages_per_s=workload.messages_per_room_s + per_member * size,
            joins_per_s=size / workload.stay_s,
            announces=rooms.announces,
        )
    for giant in workload.giants:
        yield Kind(
            size=float(giant.size),
            rooms=float(giant.rooms),
            messages_per_s=giant.messages_per_s,
            joins_per_s=giant.size / workload.stay_s,
            announces=giant.announces,
        )


def _alive(per_s: float, ttl_s: float) -> float:
    """Return the probability that there was an entry within the time."""
    return -math.expm1(-per_s * ttl_s)


def kept(per_s: float, *, ttl_s: float, at_most: int) -> float:
    """Return how many entries a stream holds if it expires after a time without entries.

    With entries at random times, each follows the previous one in time with probability `p`, so there are `k` or more with
    probability `p` to the power of `k`.
    """
    p = _alive(per_s, ttl_s)
    if p >= 1.0:
        return float(at_most)
    return min(float(at_most), p * -math.expm1(at_most * math.log(p)) / (1 - p)) if p > 0 else 0.0
