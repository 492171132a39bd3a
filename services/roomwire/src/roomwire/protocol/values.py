"""Converts a program's values to JSON for its clients, and clients' JSON to values. Pure.

JSON has no bytes: they are taken out of the value and sent as attachments, or the value is refused. A value that neither
`json` nor msgspec can encode is refused as well, with `TypeError`: its `str()` is never sent in its place.
"""

import json
import math
from typing import Any, Final

import msgspec

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
    if isinstance(value, bytes):
        return bytes(memoryview(value))
    if isinstance(value, msgspec.Raw):
        return decode(bytes(value).decode())
    raise TypeError(f"An object of type {type(value).__name__} cannot be sent: JSON has no such type.")


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode
_decode: Final = msgspec.json.Decoder().decode


def is_plain(value: Any) -> bool:
    """Return whether a value consists only of JSON's own types, so that it contains no binary: hot."""
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind in PLAIN
    for item in value:  # noqa: SIM110 - a loop costs less than a generator
        if type(item) not in PLAIN and not is_plain(item):
            return False
    return True


def has_binary(value: object) -> bool:
    """Return whether a value contains binary.

    Raises:
        TypeError: The value cannot be sent.

    """
    return not is_plain(value) and bool(parted(value)[1])


def parted(value: object) -> tuple[Any, list[bytes]]:
    """Return a value as JSON allows it, with placeholders, and the attachments for them, in order.

    Raises:
        TypeError: The value cannot be sent.

    """
    attachments: list[bytes] = []
    builtin = msgspec.to_builtins(value, builtin_types=_BINARY, enc_hook=_plain)
    return _part(builtin, attachments), attachments


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


def _part(value: object, attachments: list[bytes]) -> object:
    if isinstance(value, dict):
        return {_key(key): _part(item, attachments) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_part(item, attachments) for item in value]
    if isinstance(value, _BINARY):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    # As in JavaScript: these values do not exist in JSON.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _key(key: object) -> object:
    if isinstance(key, _BINARY):
        raise TypeError("Binary cannot be the key of an object.")
    return key
