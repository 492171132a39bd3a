"""The journal of clients and publishers: one entry for each event, in the order of each client.

Entries come from `clients.mjs` as JSON lines. The oracle reads nothing else, so a list of entries written by hand tests
it. Times are milliseconds of the machine's clock, which all client processes share.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a journal.

    Attributes:
        kind: `connect`, `disconnect`, `refused` (connect_error), `join` (requested), `joined`, `left`, `closed` (by the
            client itself), `got`, `invoked`, `acked`, `failed`, `unknown`, `meter` (the generator's own load).
        client: The client or, for `meter`, the client process.
        at_ms: The time.
        room: The room of a join or of a message.
        id: The message or, for `connect`, the socket.
        seq: The publisher's count.
        offset: The recovery offset that the server sent, `<epoch>.<position>`; empty if it sent none.
        recovered: For `connect`: whether the client was told that it recovered.
        gateway: For `connect`: the gateway that holds the session.
        detail: A reason or a code.
        cpu: For `meter`: the share of a core.
        lag_ms: For `meter`: the longest delay of the process's event loop.

    """

    kind: str
    client: str
    at_ms: float
    room: str = ""
    id: str = ""
    seq: int = 0
    offset: str = ""
    recovered: bool = False
    gateway: str = ""
    detail: str = ""
    cpu: float = 0.0
    lag_ms: float = 0.0


_DECODER = msgspec.json.Decoder(Entry)
_ENCODER = msgspec.json.Encoder()


def parse(line: bytes) -> Entry:
    """Return the entry of a line; raises `msgspec.ValidationError` for anything else."""
    return _DECODER.decode(line)


def save(entries: Iterable[Entry], path: Path) -> None:
    """Write a journal, so that a verdict of the oracle can be investigated."""
    with path.open("wb") as file:
        for entry in entries:
            file.write(_ENCODER.encode(entry) + b"\n")
