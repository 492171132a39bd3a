"""A `Delivery` that makes a span of each publish, and of each delivery of an entry whose publish was sampled."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

from roomwire.engine.turn import Turn
from roomwire.log.contract import Log
from roomwire.log.entries import Entry, Message
from roomwire.log.positions import Offset, Position
from roomwire.log.streams import Stream
from roomwire.protocol.wire_format import WireFormat
from roomwire.rooms.delivery import Answer, Begin, Delivery
from roomwire.rooms.emit import Emit
from roomwire.rooms.order import Order
from roomwire.rooms.registry import Audience, Registry
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
        wire: WireFormat,
        order: Order,
        begin_now: Begin,
        answer: Answer,
        count_dropped: Callable[[int], None],
        wall_clock: Callable[[], float],
    ) -> None:
        super().__init__(
            log,
            registry,
            turn,
            wire=wire,
            order=order,
            begin_now=begin_now,
            answer=answer,
            count_dropped=count_dropped,
            wall_clock=wall_clock,
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
        message = entry.message
        if not message.trace:
            super().on_entry(entry)
            return
        self._order.receive(Position(entry.position - 1))
        audience = self._audience(entry.stream, message)
        if audience is not None:
            with self._delivery(message, audience):
                self._put(audience, message.payload, str(Offset(self._log.epoch, entry.position)))
        self._order.receive(entry.position)

    def on_volatile(self, stream: Stream, message: Message) -> None:
        """See `LogObserver`."""
        if not message.trace:
            super().on_volatile(stream, message)
            return
        audience = self._audience(stream, message)
        if audience is not None:
            with self._delivery(message, audience):
                self._put_volatile(audience, message)

    def _delivery(self, message: Message, audience: Audience) -> AbstractContextManager[None]:
        """Return the span of a delivery to these receivers."""
        namespace, recoverable, others = audience
        return self._tracing.delivery(message.trace, namespace, len(recoverable) + len(others))
