"""Converts a program's values to JSON for its clients, and clients' JSON to values. Pure.

JSON has no bytes: they are taken out of wherever they are and travel as attachments, or the value is refused. What neither
`json` nor msgspec knows is refused as well, with `TypeError`: nothing is sent as whatever its text happens to be.
"""

import json
import math
from typing import Any, Final

import msgspec

PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that hold no others, so that nobody has to look into them."""

_BINARY: Final = (bytes, bytearray, memoryview)


def _plain(value: object) -> object:
    """Return what stands for a value that msgspec does not know, as `json` has it where that knows it.

    Of a number or a text of a class of its own, this is what it is a number or a text by, whatever else the class does.
    """
    if value is None or isinstance(value, bool):
        # Only as the key of a dict does it come here.
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
    """Say whether there are only JSON's own types in a value, so that no binary is: hot."""
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
    """Say whether there is binary anywhere in a value.

    Raises:
        TypeError: It cannot be sent.

    """
    return not is_plain(value) and bool(parted(value)[1])


def parted(value: object) -> tuple[Any, list[bytes]]:
    """Return a value as JSON has it, with placeholders, and the attachments that they stand for, in their order.

    Raises:
        TypeError: It cannot be sent.

    """
    attachments: list[bytes] = []
    builtin = msgspec.to_builtins(value, builtin_types=_BINARY, enc_hook=_plain)
    return _part(builtin, attachments), attachments


def encode(value: object) -> bytes:
    """Return the JSON of a value in which there is no binary: hot.

    Raises:
        TypeError: It cannot be sent.

    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair, which only an escape can spell.
        return json.dumps(parted(value)[0], separators=(",", ":")).encode()


def decode(text: str) -> Any:
    """Return what a text of JSON says.

    Raises:
        ValueError: It is none.
        RecursionError: It is nested too deeply.

    """
    try:
        return _decode(text)
    except msgspec.DecodeError:
        # Half a surrogate pair, escaped: JavaScript sends one where a text was cut inside an emoji, and it is
        # JSON. What is done about it is a matter for the handler's body, not a reason to close.
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
    # As JavaScript has it: these are no JSON.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _key(key: object) -> object:
    if isinstance(key, _BINARY):
        raise TypeError("Binary cannot be the key of an object.")
    return key
