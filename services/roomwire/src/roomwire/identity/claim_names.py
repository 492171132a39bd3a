"""The names of the claims that gateways read from a token, and pointers into nested claims.

Pure. Whether a token holds, its issuer and audience included, `verification` says.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_POINTER: Final = "/"
MISSING: Final = msgspec.UNSET


class ClaimNames(msgspec.Struct, frozen=True):
    """Which claims say what.

    Each is a claim's name, or, with a `/` first, a JSON pointer (RFC 6901) to a value within one, such as
    `/realm_access/roles`.

    Attributes:
        user: The user's id, a text that is unique and stable.
        name: What people see; where a token has none, they see the id.
        session: The session by which a token can be revoked.
        roles: Names of roles of the policy, a list or a text with spaces. Default: none; what a token allows is in `cap`.

    """

    user: str = "sub"
    name: str = "name"
    session: str = "sid"
    roles: str = ""


OUR_CLAIMS: Final = ClaimNames()
"""As our own auth service writes them."""


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
        ValueError: It is neither.

    """
    if value is MISSING:
        return ()
    if isinstance(value, str):
        return value.split()
    return msgspec.convert(value, list[str])
