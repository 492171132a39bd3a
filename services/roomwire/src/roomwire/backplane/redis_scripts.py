"""The scripts that run on the primary: their text, and the hashes under which it knows them."""

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

_FOLDER: Final = files("roomwire.backplane") / "scripts"
# A script without flags is refused as a whole when the primary is out of memory. These may run: they take next to no
# memory, and without them sessions would die of it.
_ALLOW_OOM: Final = "allow-oom"
_NO_WRITES: Final = "no-writes"


class Script:
    """A Lua script.

    Attributes:
        name: What people call it.
        text: Its source.
        sha: Its hash, for EVALSHA.

    """

    __slots__ = ("name", "sha", "text")

    def __init__(self, name: str, file: str, flags: str = "", *, is_indexed: bool = False) -> None:
        head = f"#!lua flags={flags}\n" if flags else "#!lua\n"
        parts = ("common", "index", file) if is_indexed else ("common", file)
        self.name = name
        self.text = (head + "".join((_FOLDER / f"{part}.lua").read_text() for part in parts)).encode()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()


class Scripts:
    """All scripts of the log."""

    def __init__(self) -> None:
        self.attach = Script("attach", "attach", _ALLOW_OOM)
        self.publish = Script("publish", "publish")
        self.open = Script("open", "open")
        self.join = Script("join", "membership", is_indexed=True)
        self.leave = Script("leave", "membership", _ALLOW_OOM, is_indexed=True)
        self.claim = Script("claim", "claim", _ALLOW_OOM, is_indexed=True)
        self.heartbeat = Script("heartbeat", "heartbeat", _ALLOW_OOM)
        self.save = Script("save", "save")
        self.end = Script("end", "end", _ALLOW_OOM, is_indexed=True)
        self.present = Script("present", "present", _NO_WRITES, is_indexed=True)
        self.sweep = Script("sweep", "sweep", _ALLOW_OOM, is_indexed=True)
        self.read = Script("read", "read", _NO_WRITES)
        self.nodes = Script("nodes", "nodes", _ALLOW_OOM)

    def __iter__(self) -> Iterator[Script]:
        return iter(vars(self).values())
