"""Converts a program's values to JSON for its clients, and clients' JSON to values. Pure.

JSON has no bytes: they are taken out of the value and sent as attachments, or the value is refused. A value that neither
`json` nor msgspec can encode is refused as well, with `TypeError`: its `str()` is never sent in its place. A value that is nested
more than `MAX_LEVELS` deep is refused with `NestedTooDeeply`, so that each value that is sent or stored can be read again on every
version of Python, whatever that version's own limit is.
"""

import json
import math
from typing import Any, Final

import msgspec

from roomwire.errors import NestedTooDeeply

MAX_LEVELS: Final = 500
"""Maximum number of lists and objects within each other. Python 3.11 reads fewer than 1,000, less the calls that are under way."""
MAX_LEVELS_OF_A_PACKET: Final = MAX_LEVELS + 1
"""The same of a packet's data, in which a list holds the values."""

PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that contain no other values."""

_BINARY: Final = (bytes, bytearray, memoryview)


def _plain(value: object) -> object:
    """Return the plain value for a value that msgspec cannot encode, as `json` encodes it, if `json` can.

    For a subclass of a number or a text, this is the underlying number or text, whatever else the class defines.
    """
    if value is None or isinstance(value, bool):
        # Such values come here only as the key of a dict.
        return _encode(value).decode()
    if isinstance(value, int):
        return int.__pos__(value)
    if isinstance(value, float):
        return float.__pos__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray):
        return bytes(memoryview(value))
    if isinstance(value, msgspec.Raw):
        return decode(bytes(value).decode())
    raise TypeError(f"An object of type {type(value).__name__} cannot be sent: JSON has no such type.")


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode
_decode: Final = msgspec.json.Decoder().decode


def is_plain(value: Any, levels: int = MAX_LEVELS) -> bool:
    """Return whether a value consists only of JSON's own types, so that it contains no binary: hot.

    Args:
        value: The value.
        levels: Maximum number of lists and objects within each other.

    Raises:
        NestedTooDeeply: It has more of them, and what precedes them is plain.

    """
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind in PLAIN
    if not levels:
        raise NestedTooDeeply(MAX_LEVELS)
    for item in value:  # noqa: SIM110 - a loop costs less than a generator
        if type(item) not in PLAIN and not is_plain(item, levels - 1):
            return False
    return True


def has_binary(value: object) -> bool:
    """Return whether a packet's data contain binary.

    Raises:
        TypeError: The value cannot be sent.
        NestedTooDeeply: The same.

    """
    return not is_plain(value, MAX_LEVELS_OF_A_PACKET) and bool(parted(value)[1])


def parted(value: object) -> tuple[Any, list[bytes]]:
    """Return a packet's data as JSON allows it, with placeholders, and the attachments for them, in order.

    Raises:
        TypeError: The value cannot be sent.
        NestedTooDeeply: The same.

    """
    attachments: list[bytes] = []
    try:
        builtin = msgspec.to_builtins(value, builtin_types=_BINARY, enc_hook=_plain)
    except RecursionError:
        raise NestedTooDeeply(MAX_LEVELS) from None
    return _part(builtin, attachments, MAX_LEVELS_OF_A_PACKET), attachments


def encode(value: object) -> bytes:
    """Return the JSON of a value without binary: hot.

    Raises:
        TypeError: The value cannot be sent.

    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair, which only an escape can write.
        return json.dumps(parted(value)[0], separators=(",", ":")).encode()


def decode(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not JSON.
        RecursionError: It is nested too deeply.

    """
    try:
        return _decode(text)
    except msgspec.DecodeError:
        # Half a surrogate pair, escaped: JavaScript sends one if a text was cut inside an emoji, and it is valid
        # JSON. How to treat it is up to the handler's body; it is no reason to close.
        if "\\ud" not in text.lower():
            raise
        return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _part(value: object, attachments: list[bytes], levels: int) -> object:
    if isinstance(value, dict | list | tuple) and not levels:
        raise NestedTooDeeply(MAX_LEVELS)
    # Loops instead of comprehensions, which cost Python 3.11 a further call for each level.
    if isinstance(value, dict):
        values = {}
        for key, item in value.items():
            values[_key(key)] = _part(item, attachments, levels - 1)
        return values
    if isinstance(value, list | tuple):
        items = []
        for item in value:
            items.append(_part(item, attachments, levels - 1))  # noqa: PERF401 - see above
        return items
    if isinstance(value, _BINARY):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    # As in JavaScript: these values do not exist in JSON.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _key(key: object) -> object:
    if isinstance(key, _BINARY):
        raise TypeError("Binary cannot be the key of an object.")
    return key
