"""The behaviour of users in each scenario: a table, without code for single scenarios."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Scenario:
    """The behaviour of simulated users.

    Attributes:
        title: A title for the reader of a report.
        rate_hz: Messages per second of each user.
        users_per_room: The number of users in a room; with 0, all users share one room.
        polling_share: The share of users that stay on HTTP long-polling, from 0 to 1.
        account_share: The share of users that register and sign in; the others are guests.
        refresh_s: How often a user exchanges its refresh token; with 0, only when its access token is about to expire.
        session_s: Duration of a connection, after which its user connects again; with 0, until the end.
        spawn_hz: New users per second.
        exchanges: Whether the gateways are replaced during the run.

    """

    title: str
    rate_hz: float = 0.2
    users_per_room: int = 10
    polling_share: float = 0.0
    account_share: float = 0.0
    refresh_s: float = 0.0
    session_s: float = 0.0
    spawn_hz: float = 50.0
    exchanges: bool = False

    def room_of(self, user: int) -> str:
        """Return the room of a user by its number."""
        return f"load-{user // self.users_per_room if self.users_per_room else 0}"


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "storm": Scenario(
            "Connect storm: all come at once, and again", rate_hz=0.1, session_s=5, spawn_hz=500
        ),
        "chatter": Scenario("Steady chatter in many rooms", rate_hz=0.5),
        "big-room": Scenario("One big room", rate_hz=0.02, users_per_room=0),
        "polling": Scenario("Polling only", polling_share=1.0),
        "rollout": Scenario("Steady chatter while all gateways are exchanged", rate_hz=0.5, exchanges=True),
        "refresh": Scenario(
            "Accounts that refresh their tokens", account_share=0.1, refresh_s=3, session_s=7
        ),
        "mixed": Scenario("A mixed day", polling_share=0.1, account_share=0.02, refresh_s=20, session_s=30),
    }
)
"""The scenarios by their names on the command line."""
