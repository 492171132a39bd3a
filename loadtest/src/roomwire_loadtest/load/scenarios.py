"""What people do in a scenario: a table, and no code of its own for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Scenario:
    """How people behave.

    Attributes:
        title: For the reader of a report.
        rate_hz: Messages a second of each user.
        users_per_room: How many share a room; 0: all share one.
        polling_share: The share of users who never leave HTTP long-polling, from 0 to 1.
        account_share: The share who register and log in; the others are guests.
        refresh_s: How often a user exchanges its refresh token; 0: when its access token is about to expire.
        session_s: How long a connection lasts before its user leaves and comes anew; 0: to the end.
        spawn_hz: How many users come in a second.
        exchanges: Whether the gateways are exchanged meanwhile.

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
