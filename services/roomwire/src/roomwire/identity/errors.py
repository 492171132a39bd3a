"""The errors of tokens and policies, in addition to `roomwire.errors`.

::

    ConfigurationError
    ├── UnknownRole         a role that the policy does not have
    └── UnusablePolicy      the policy cannot be read, or is invalid
    Forbidden
    └── NotPermitted        the token does not permit the action
    Unauthenticated
    ├── InvalidToken        the token is not valid
    ├── TokenExpired        the token has expired
    └── SessionEnded        the token's session has ended
"""

from collections.abc import Collection
from typing import Final

from roomwire.errors import ConfigurationError, Forbidden, Unauthenticated

_MAX_SHOWN: Final = 100
"""The maximum number of characters of a room's name that a refusal repeats."""


class UnknownRole(ConfigurationError):
    """The policy does not have the role.

    Args:
        role: The requested name.
        known: The known names.

    """

    def __init__(self, role: str, known: Collection[str]) -> None:
        super().__init__(role, known)
        self.role = role
        self.known = known

    def __str__(self) -> str:
        return f"the policy has no role {self.role!r}: use one of {', '.join(sorted(self.known))}"


class UnusablePolicy(ConfigurationError):
    """The policy cannot be read, or is invalid.

    Args:
        where: The setting and its file, or another name of the policy.
        problem: The problem.

    """

    def __init__(self, where: str, problem: Exception) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.where} is not a policy: {self.problem}"


class NotPermitted(Forbidden):
    """The token does not permit the action. The client learns only what it asked for.

    Args:
        action: The action.
        room: The room. Default: the action concerns no room, or every room.

    """

    def __init__(self, action: str, room: str | None = None) -> None:
        shown = "" if room is None else f" in the room `{room[:_MAX_SHOWN]}{'…' * (len(room) > _MAX_SHOWN)}`"
        super().__init__(f"Your token does not permit `{action}`{shown}.")
        self.action = action
        self.room = room


class InvalidToken(Unauthenticated):
    """The token is not valid; the client learns no more."""

    default_message = "The token is not valid."


class TokenExpired(Unauthenticated):
    """The token has expired."""

    default_message = "The token has expired."


class SessionEnded(Unauthenticated):
    """The session that a token belongs to has ended, or the token was revoked."""

    default_message = "The session has ended."
