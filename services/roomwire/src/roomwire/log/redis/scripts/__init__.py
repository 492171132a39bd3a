"""The log's scripts, and the files from which each is composed."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final

from roomwire.redis.script import Script

_FOLDER: Final = files(__name__)
# A script without flags is refused as a whole when the primary is out of memory. These may run: they take next to no
# memory, and without them sessions would die of it.
_ALLOW_OOM: Final = "allow-oom"
_NO_WRITES: Final = "no-writes"
_INDEXES: Final = ("index",)
_GUARDS: Final = ("guard",)
_KEEPS: Final = ("guard", "kept")
_SIZES: Final = ("sizes",)


class Scripts:
    """All scripts of the log."""

    def __init__(self) -> None:
        self.attach = _script("attach", "attach", _ALLOW_OOM)
        self.publish = _script("publish", "publish", before=_KEEPS)
        self.open = _script("open", "open", before=_GUARDS)
        self.join = _script("join", "membership", before=(*_GUARDS, *_INDEXES))
        self.leave = _script("leave", "membership", _ALLOW_OOM, before=(*_GUARDS, *_INDEXES))
        self.claim = _script("claim", "claim", _ALLOW_OOM, before=_INDEXES)
        self.heartbeat = _script("heartbeat", "heartbeat", _ALLOW_OOM)
        self.save = _script("save", "save")
        self.end = _script("end", "end", _ALLOW_OOM, before=(*_INDEXES, *_SIZES))
        self.present = _script("present", "present", _NO_WRITES, before=_INDEXES)
        self.sweep = _script("sweep", "sweep", _ALLOW_OOM, before=_INDEXES)
        self.recount = _script("recount", "recount", _ALLOW_OOM, before=(*_GUARDS, *_SIZES))
        self.measure = _script("measure", "measure", _ALLOW_OOM, before=_SIZES)
        self.read = _script("read", "read", _NO_WRITES)
        self.volatile = _script("volatile", "volatile", _ALLOW_OOM)
        self.nodes = _script("nodes", "nodes", _ALLOW_OOM)

    def __iter__(self) -> Iterator[Script]:
        return iter(vars(self).values())


def _script(name: str, file: str, flags: str = "", *, before: Sequence[str] = ()) -> Script:
    head = f"#!lua flags={flags}\n" if flags else "#!lua\n"
    return Script(
        name, head + "".join((_FOLDER / f"{part}.lua").read_text() for part in ("common", *before, file))
    )
