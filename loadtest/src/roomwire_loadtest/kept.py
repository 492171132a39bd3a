"""The format of kept results: JSON that is byte for byte the same when it is read and written again."""

from typing import Any

import msgspec


def kept(result: msgspec.Struct) -> bytes:
    """Return a result as the content of its file.

    An integer in a field for fractions would be read as a float and then written differently, so it is written as it will be
    read.
    """
    again: Any = msgspec.json.decode(msgspec.json.encode(result), type=type(result))
    return msgspec.json.format(msgspec.json.encode(again), indent=1) + b"\n"
