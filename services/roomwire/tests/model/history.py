"""Finding gaps without a marker, as a design without one would: only a bug does.

Each push names the position before it in its stream, and what lies between is fetched when it shows.
"""

from typing import Any

from model.pipe import Process
from roomwire.log.entries import Push
from roomwire.log.positions import Position
from roomwire.log.reading import Range


def hear_with_gaps(gateway: Any, push: Push) -> None:
    """Take a push, or fetch first what is missing before it."""
    seen = gateway.seen.get(push.stream, 0)
    if push.position <= seen:
        return
    gateway.seen[push.stream] = push.position
    previous = gateway.log.primary.log.kept.before(push.stream, push.position)
    if seen and previous > seen:
        gateway.runner.start(_fill(gateway, seen, push))
    else:
        gateway.hear(push)


def _fill(gateway: Any, seen: Position, push: Push) -> Process:
    epoch, missing = gateway.subscriber.epoch, Range(push.stream, seen, push.position)
    wire = gateway.wire(gateway.bulk, gateway.world.now)
    (reading,) = yield from gateway.reads.read(
        wire, epoch, [missing], max_entries=100, max_bytes=1 << 20
    ).__await__()
    for entry in reading.entries:
        gateway.subscriber.receive_entry(entry)
