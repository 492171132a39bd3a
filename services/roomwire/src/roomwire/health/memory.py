"""How much memory this process may use, and how much it uses.

The limit is that of the process's control group, which is what a container's memory limit sets and what the kernel kills for. The use
is the memory that is resident, together with that of socket buffers, which the kernel charges to the group as well.
"""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_UNLIMITED_BYTES: Final = 2**60
"""From this value on, a limit of cgroup v1 means that there is none."""
_MAX_STAT_BYTES: Final = 16_384


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the memory in bytes that the system allows to this process, or None if it sets no limit, or is not Linux.

    Args:
        root: The root of the file system, whose `proc` and `sys` are read. Default: the machine's.

    """
    limits = [limit for path in _limit_files(root) if (limit := _number_in(path)) is not None]
    return min((limit for limit in limits if limit < _UNLIMITED_BYTES), default=None)


def _limit_files(root: Path) -> Iterator[Path]:
    """Yield the files that may limit the process: of its group and of those around it, of both versions."""
    mount = root / "sys/fs/cgroup"
    for line in _text_of(root / "proc/self/cgroup").splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            folder, name = mount, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = mount / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = PurePosixPath(group.lstrip("/"))
        # In a container, the group's path may be that of the host, which cannot be found: then the mount is the group.
        for each in (own, *own.parents):
            yield folder / each / name


class MemoryUse:
    """Measures the memory of this process.

    Args:
        root: See `memory_limit`.

    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._statm = root / "proc/self/statm"
        self._stat = root / "sys/fs/cgroup/memory.stat"
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        # Without a limit of its own, the group may be the whole machine, whose sockets are not this process's.
        self._has_stat = _number_in(root / "sys/fs/cgroup/memory.max") is not None

    def bytes(self) -> int | None:
        """Return the use in bytes; None if it cannot be measured, as elsewhere than on Linux."""
        fields = _text_of(self._statm).split()
        if len(fields) < 2 or not fields[1].isdecimal():  # noqa: PLR2004 - the second field is the resident memory
            return None
        return int(fields[1]) * self._page_bytes + (self._socket_bytes() if self._has_stat else 0)

    def _socket_bytes(self) -> int:
        for line in _text_of(self._stat).splitlines():
            name, _, value = line.partition(" ")
            if name == "sock" and value.isdecimal():
                return int(value)
        return 0


def release_free_memory() -> None:
    """Have the C library return free memory to the system, which otherwise counts as used; it does so on glibc only."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _number_in(path: Path) -> int | None:
    text = _text_of(path).strip()
    return int(text) if text.isdecimal() else None


def _text_of(path: Path) -> str:
    """Return the beginning of a file; nothing if it cannot be read."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(_MAX_STAT_BYTES)
    except OSError:
        return ""
