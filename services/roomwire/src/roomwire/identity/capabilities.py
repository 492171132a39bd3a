"""A user's permissions per room, and the policy that defines them for roles.

This module owns the patterns, their matching, and the policy file. It must not know tokens, users or events: `tokens` carries
capabilities, and an application's gateway requires them. An action that no pattern allows is refused.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import msgspec

from roomwire.identity.errors import NotPermitted, UnknownRole, UnusablePolicy

MAX_PATTERNS: Final = 32
MAX_PATTERN_CHARS: Final = 128
EVERYWHERE: Final = "*"
NO_ROLE: Final = "none"

CONNECT: Final = "connect"
"""The action of connecting to a namespace whose gateway requires it: its patterns are those of namespaces, such as `/tenant-7`."""
OF_A_ROOM: Final = frozenset({"join", "publish", "history", "presence", "emit", CONNECT})
"""The actions that can be allowed in some rooms. `emit` is to publish an event of any name by the HTTP API."""
OF_ALL_ROOMS: Final = frozenset({"rooms", "broadcast", "admin"})
"""The actions that apply to all rooms at once, and are allowed only under the pattern `*`."""


class Capabilities(msgspec.Struct, frozen=True):
    """The permissions of a user, client or role.

    Attributes:
        grants: Room patterns, each with the actions that are allowed there.

    """

    grants: tuple[tuple[str, frozenset[str]], ...] = ()

    @classmethod
    def of(cls, claim: Mapping[str, Sequence[str]]) -> Self:
        """Parse the form of a token or a policy: patterns with lists of actions.

        Unknown actions are left out, because a newer issuer may know more.

        Raises:
            ValueError: There are too many patterns, or one is invalid.

        """
        if len(claim) > MAX_PATTERNS:
            raise ValueError(f"more than {MAX_PATTERNS} patterns")
        for pattern in claim:
            _check_pattern(pattern)
        return cls(
            tuple(
                (pattern, frozenset(actions) & (OF_A_ROOM | OF_ALL_ROOMS))
                for pattern, actions in claim.items()
            )
        )

    @classmethod
    def of_all(cls, several: Iterable[Self]) -> Self:
        """Return the union of several capabilities."""
        grants: dict[str, frozenset[str]] = {}
        for each in several:
            for pattern, actions in each.grants:
                grants[pattern] = grants.get(pattern, frozenset()) | actions
        return cls(tuple(grants.items()))

    def claim(self) -> dict[str, list[str]]:
        """Return the form that a token carries."""
        return {pattern: sorted(actions) for pattern, actions in self.grants}

    def may(self, action: str, room: str | None = None) -> bool:
        """Return whether an action is allowed in a room or, without one, in all rooms at once."""
        return any(
            action in actions and (pattern == EVERYWHERE if room is None else matches(pattern, room))
            for pattern, actions in self.grants
        )

    def require(self, action: str, room: str | None = None) -> None:
        """Raise `NotPermitted` unless `may` allows it."""
        if not self.may(action, room):
            raise NotPermitted(action, room)


NOTHING: Final = Capabilities()


class Policy(msgspec.Struct, frozen=True):
    """The permissions of each role, and the accounts whose role is not the default of their kind.

    Attributes:
        roles: The capabilities of each role.
        members: The ids of accounts by role. An account in no list is a `user`.

    """

    roles: Mapping[str, Capabilities]
    members: Mapping[str, frozenset[str]]

    def role_of(self, user_id: str, *, is_guest: bool) -> str:
        """Return the role of a signed-in user."""
        if is_guest:
            return "guest"
        return next((role for role, ids in self.members.items() if user_id in ids), "user")

    def of_role(self, role: str) -> Capabilities:
        """Return the capabilities of a role; `none` has none.

        Raises:
            ConfigurationError: The role does not exist.

        """
        if role == NO_ROLE:
            return NOTHING
        if role not in self.roles:
            raise UnknownRole(role, self.roles)
        return self.roles[role]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a policy file."""

    roles: dict[str, dict[str, list[str]]]
    members: dict[str, list[str]] = {}


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy file.

    Args:
        path: The TOML file. Default: the file in the package, which allows every user every room.

    Raises:
        ConfigurationError: The file cannot be read, or has a mistake; the message states the mistake and its place.

    """
    where = "the default policy" if path is None else str(path)
    try:
        text = (path or files("roomwire.identity").joinpath("policy.toml")).read_text(encoding="utf-8")
        return _policy(msgspec.convert(tomllib.loads(text), _File))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise UnusablePolicy(where, error) from error


def matches(pattern: str, room: str) -> bool:
    """Return whether a room matches a pattern: an exact name, or a prefix followed by `*`."""
    return room.startswith(pattern[:-1]) if pattern.endswith("*") else room == pattern


def _check_pattern(pattern: str) -> None:
    if not 0 < len(pattern) <= MAX_PATTERN_CHARS:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN_CHARS} characters")
    if "*" in pattern[:-1]:
        raise ValueError(f"the pattern {pattern!r} has a * before its end")


def _policy(file: _File) -> Policy:
    for needed in ("guest", "user"):
        if needed not in file.roles:
            raise ValueError(f"the role {needed!r} is missing")
    roles = {}
    for role, claim in file.roles.items():
        if role == NO_ROLE:
            raise ValueError(
                f"{NO_ROLE!r} cannot be the name of a role: it denotes the role without permissions"
            )
        for pattern, actions in claim.items():
            _check_actions(role, pattern, frozenset(actions))
        try:
            roles[role] = Capabilities.of(claim)
        except ValueError as error:
            raise ValueError(f"role {role!r}: {error}") from None
    return Policy(roles, _members(file.members, roles))


def _check_actions(role: str, pattern: str, actions: frozenset[str]) -> None:
    if unknown := sorted(actions - OF_A_ROOM - OF_ALL_ROOMS):
        raise ValueError(f"role {role!r}, pattern {pattern!r}: {unknown[0]!r} is not an action")
    if pattern != EVERYWHERE and (misplaced := sorted(actions & OF_ALL_ROOMS)):
        raise ValueError(
            f"role {role!r}, pattern {pattern!r}: {misplaced[0]!r} applies to all rooms, so it belongs under '*'"
        )


def _members(
    lists: Mapping[str, Sequence[str]], roles: Mapping[str, Capabilities]
) -> dict[str, frozenset[str]]:
    seen: set[str] = set()
    for role, ids in lists.items():
        if role not in roles:
            raise ValueError(f"members of {role!r}, which is not a role")
        if twice := seen & {*ids}:
            raise ValueError(f"{min(twice)!r} is a member of two roles")
        seen |= {*ids}
    return {role: frozenset(ids) for role, ids in lists.items()}
