"""A `Delivery` that makes a span of each publish, and of each delivery of an entry whose publish was sampled."""

from collections.abc import Callable

import msgspec

from roomwire.engine.turn import Turn
from roomwire.log.contract import Log
from roomwire.log.entries import Entry, Message
from roomwire.log.streams import Stream
from roomwire.rooms.delivery import Answer, Delivery
from roomwire.rooms.emit import Emit
from roomwire.rooms.registry import Registry
from roomwire.tracing import Tracing


class TracedDelivery(Delivery):
    """See `Delivery`, whose other arguments it takes.

    Args:
        tracing: Makes the spans.

    """

    def __init__(
        self,
        log: Log,
        registry: Registry,
        turn: Turn,
        *,
        tracing: Tracing,
        answer: Answer,
        count_dropped: Callable[[int], None],
        wall_clock: Callable[[], float],
    ) -> None:
        super().__init__(
            log, registry, turn, answer=answer, count_dropped=count_dropped, wall_clock=wall_clock
        )
        self._tracing = tracing

    async def publish(self, emit: Emit) -> None:
        """See `Delivery`."""
        with self._tracing.publish(emit.event, emit.namespace):
            await super().publish(emit)

    def publish_volatile(self, emit: Emit) -> None:
        """See `Delivery`."""
        with self._tracing.publish(emit.event, emit.namespace):
            super().publish_volatile(emit)

    def _addressed(self, emit: Emit, payload: bytes) -> tuple[Stream, Message] | None:
        addressed = super()._addressed(emit, payload)
        if addressed is None or not (carried := self._tracing.carried()):
            return addressed
        stream, message = addressed
        return stream, msgspec.structs.replace(message, trace=carried)

    def on_entry(self, entry: Entry) -> None:
        """See `LogObserver`."""
        receivers = self._receivers(entry.stream, entry.message)
        if receivers is None:
            super().on_entry(entry)
            return
        with self._tracing.delivery(entry.message.trace, *receivers):
            super().on_entry(entry)

    def on_volatile(self, stream: Stream, message: Message) -> None:
        """See `LogObserver`."""
        receivers = self._receivers(stream, message)
        if receivers is None:
            super().on_volatile(stream, message)
            return
        with self._tracing.delivery(message.trace, *receivers):
            super().on_volatile(stream, message)

    def _receivers(self, stream: Stream, message: Message) -> tuple[str, int] | None:
        """Return the namespace and the number of receivers on this node of a message with a trace context, if it has any."""
        audience = self._audience(stream, message) if message.trace else None
        if audience is None:
            return None
        namespace, recoverable, others = audience
        return namespace, len(recoverable) + len(others)
