"""Finds JSON Web Tokens in what a program printed or stored.

A search for their beginning, `eyJ`, is not enough: a random id has these three characters now and then.
"""

import re

# The first part of a token is a JSON object in base64url: it begins with `{"`, and names at least the algorithm. No random id
# of ours has so many characters after its first.
_JWT = re.compile(r"eyJ[\w-]{20,}")


def jwts_in(text: str) -> list[str]:
    """Return what a text has of JSON Web Tokens: whole ones, and first or second parts alone."""
    return _JWT.findall(text)
