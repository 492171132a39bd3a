"""Production's reads of streams and its way back to a live log, and such that each leave out one rule of them."""

from collections.abc import Sequence
from typing import Any

from model.wire import KEYS, SCRIPTS, Pair
from roomwire.log.config import LogConfig
from roomwire.log.positions import Epoch, Position
from roomwire.log.reading import Outcome, Page, Range, Reading
from roomwire.log.redis.reads import Reads
from roomwire.log.redis.resync import Resync
from roomwire.log.sessions import NodeId
from roomwire.log.subscriber import Subscriber

MAX_ENTRIES = 1_000
MAX_BYTES = 1 << 24


class TrimmingUnnoticed(Reads):
    """Every page is taken for whole, and for one that overlaps the page before it."""

    async def _pages(
        self, link: Any, epoch: Epoch, wanted: Sequence[tuple[Range, Position]]
    ) -> Sequence[Page]:
        pages = await super()._pages(link, epoch, wanted)
        return [
            page._replace(is_whole=True, entries=((cursor, b""), *page.entries)) if page.is_there else page
            for page, (_, cursor) in zip(pages, wanted, strict=True)
        ]


class NothingMissed(Reads):
    """Nothing was missed while the link was lost."""

    async def read(
        self, link: Any, epoch: Epoch, ranges: Sequence[Range], **limits: Any
    ) -> Sequence[Reading]:
        return [Reading(one, Outcome.COMPLETE, (), one.after) for one in ranges]


class MarkOnBulk(Resync):
    """The mark comes over the link that does not carry the pushes."""

    async def _mark(self, pair: Any) -> Position:
        return await super()._mark(Pair(pair.bulk, pair.bulk, lambda: pair.is_lost))


def reads(bugs: frozenset[str]) -> Reads:
    """Return what reads streams and keeps every rule but those that are left out."""
    return (TrimmingUnnoticed if "trimming_unnoticed" in bugs else Reads)(KEYS, SCRIPTS.read)


def resync(bugs: frozenset[str], node: NodeId, config: LogConfig, subscriber: Subscriber) -> Resync:
    """Return what brings a gateway up to date, but for the rules that are left out."""
    kind = MarkOnBulk if "marker_on_bulk" in bugs else Resync
    read = NothingMissed(KEYS, SCRIPTS.read) if "gap_by_previous_position" in bugs else reads(bugs)
    return kind(node=node, keys=KEYS, scripts=SCRIPTS, reads=read, config=config, subscriber=subscriber)
