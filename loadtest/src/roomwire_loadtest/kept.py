"""How results are kept: as JSON that is the same, byte for byte, when it is read and written again."""

from typing import Any

import msgspec


def kept(result: msgspec.Struct) -> bytes:
    """Return a result as the bytes of its file.

    A count that stands where a number may have a fraction would be read as such a one, and be written as another text then:
    it is written as it will be read.
    """
    again: Any = msgspec.json.decode(msgspec.json.encode(result), type=type(result))
    return msgspec.json.format(msgspec.json.encode(again), indent=1) + b"\n"
