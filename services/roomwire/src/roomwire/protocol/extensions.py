"""Reads the extensions that a WebSocket's client offers. Pure.

Source: RFC 6455, section 9.1.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# Possessive, because backtracking over a stranger's blanks would take quadratic time.
_PART: Final = re.compile(
    rf"""[ \t]*+({_NAME})[ \t]*+(?:=[ \t]*+(?:({_NAME})|"((?:[^"\\]|\\.)*+)")[ \t]*+)?([;,]|\Z)"""
)
_ESCAPED: Final = re.compile(r"\\(.)")
_WHOLE_TOKEN: Final = re.compile(_NAME)


class BadExtensions(ValueError):
    """The header is not a list of extensions. The text is for the log, not for the client."""


class Extension(NamedTuple):
    """An extension that a client offers.

    Attributes:
        name: Its name.
        parameters: Its parameters and their values in the client's order; None is the value of a parameter without one.

    """

    name: str
    parameters: Sequence[tuple[str, str | None]]


def offered_extensions(value: str) -> Sequence[Extension]:
    """Return the extensions of a `Sec-WebSocket-Extensions` header, in the client's order of preference.

    Raises:
        BadExtensions: The value is not of the header's form.

    """
    offers: list[Extension] = []
    start, separator = 0, ","
    while separator:
        part = _PART.match(value, start)
        if part is None:
            raise BadExtensions("not a list of extensions")
        name, token, quoted, following = part.groups()
        if separator == ",":
            if token is not None or quoted is not None:
                raise BadExtensions("an extension's name with a value")
            parameters: list[tuple[str, str | None]] = []
            offers.append(Extension(name, parameters))
        else:
            parameters.append((name, token if quoted is None else _unquoted(quoted)))
        start, separator = part.end(), following
    return offers


def _unquoted(text: str) -> str:
    """Return the text in quotes, which must be a token as well."""
    token = _ESCAPED.sub(r"\1", text)
    if _WHOLE_TOKEN.fullmatch(token) is None:
        raise BadExtensions("a value in quotes that is not a token")
    return token
