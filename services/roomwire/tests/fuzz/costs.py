"""What an input costs: the lines of roomwire that it runs, and the memory that it takes at once.

Both are the same on every machine, but for what is made at first use, and grow with the input at most in proportion: code that looks at
each byte of an input for each of its bytes is beyond the bounds with a few kilobytes. What regular expressions do is no line: their text
is made so large that a square takes minutes of CPU.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

OURS = f"{Path(__file__).parents[2] / 'src'}/"
LINES, LINES_PER_BYTE = 20_000, 300
"""A connection from its opening to its end runs four thousand; a CONNECT of two bytes in a frame of eight runs nine hundred. A square of
four kilobytes would be four thousand for each byte."""
BYTES, BYTES_PER_BYTE = 1_000_000, 200
"""Bytes become values, and values frames."""
LONGEST_S = 5.0
"""The CPU time of what C does and nothing else can count: it takes milliseconds, and a square takes minutes."""


class TooDear(AssertionError):
    """An input costs more than its size allows."""


@dataclass(frozen=True)
class Work:
    """What has been done for an input.

    Attributes:
        lines: The lines that were run.
        bytes: The memory that was taken at once.

    """

    lines: int
    bytes: int

    def check(self, size: int) -> None:
        """Raise `TooDear` if that is more than an input of a size may cost."""
        if self.lines > LINES + LINES_PER_BYTE * size:
            raise TooDear(f"{self.lines:,} lines for {size:,} bytes")
        if self.bytes > BYTES + BYTES_PER_BYTE * size:
            raise TooDear(f"{self.bytes:,} bytes of memory for {size:,} bytes")


def work_of(run: Callable[[], object], *, ours: str = OURS) -> Work:
    """Run something and return the work that it did.

    Args:
        run: Runs it.
        ours: The beginning of the paths of the files whose lines count.

    """
    counted = [0]
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start(1)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    stop = _count(counted, ours) if sys.version_info < (3, 12) else _monitor(counted, ours)
    try:
        run()
    finally:
        stop()
        _, peak = tracemalloc.get_traced_memory()
        if started:
            tracemalloc.stop()
    return Work(counted[0], max(0, peak - before))


def check_time(run: Callable[[], object], *, longest_s: float = LONGEST_S) -> None:
    """Run something, and raise `TooDear` if this thread has used more CPU time for it."""
    began_s = time.thread_time()
    run()
    used_s = time.thread_time() - began_s
    if used_s > longest_s:
        raise TooDear(f"{used_s:.1f} s of CPU")


def _count(counted: list[int], ours: str) -> Callable[[], object]:
    """Count lines by tracing."""
    last = sys.gettrace()

    def line(_frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            counted[0] += 1
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(ours) else None

    sys.settrace(call)
    return lambda: sys.settrace(last)


def _monitor(counted: list[int], ours: str) -> Callable[[], object]:
    """Count lines by monitoring, which costs nothing elsewhere."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    tool = next(number for number in range(6) if monitoring.get_tool(number) is None)
    monitoring.use_tool_id(tool, "roomwire.fuzz")

    def line(code: CodeType, _number: int) -> Any:
        if not code.co_filename.startswith(ours):
            return monitoring.DISABLE
        counted[0] += 1
        return None

    monitoring.register_callback(tool, monitoring.events.LINE, line)
    monitoring.set_events(tool, monitoring.events.LINE)
    # What was disabled in an earlier run is counted again only then.
    monitoring.restart_events()

    def stop() -> None:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(tool)

    return stop
