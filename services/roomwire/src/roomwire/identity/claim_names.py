"""The names of the claims that gateways read from a token, and pointers into nested claims.

Pure. `verification` decides whether a token is valid, including its issuer and audience.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_POINTER: Final = "/"
MISSING: Final = msgspec.UNSET


class ClaimNames(msgspec.Struct, frozen=True):
    """The claims to read.

    Each is the name of a claim or, if it begins with `/`, a JSON pointer (RFC 6901) to a nested value, such as
    `/realm_access/roles`.

    Attributes:
        user: The user's id, a text that is unique and stable.
        name: The display name. Without it, the id is shown.
        session: The session by which a token can be revoked.
        roles: The names of roles of the policy, as a list or a text with spaces. Default: none; `cap` has the permissions.

    """

    user: str = "sub"
    name: str = "name"
    session: str = "sid"
    roles: str = ""


OUR_CLAIMS: Final = ClaimNames()
"""The claims of our own auth service."""


def find(claims: Mapping[str, object], name: str) -> object:
    """Return the value of a claim, or `MISSING`; see `ClaimNames`."""
    if not name.startswith(_POINTER):
        return claims.get(name, MISSING)
    value: object = claims
    for step in name.removeprefix(_POINTER).split(_POINTER):
        if not isinstance(value, Mapping):
            return MISSING
        value = value.get(step.replace("~1", "/").replace("~0", "~"), MISSING)
    return value


def names_in(value: object) -> Sequence[str]:
    """Return the names in a claim: a list of texts, or one text with spaces between them (RFC 8693, section 4.2).

    Raises:
        ValueError: The claim is neither.

    """
    if value is MISSING:
        return ()
    if isinstance(value, str):
        return value.split()
    return msgspec.convert(value, list[str])
