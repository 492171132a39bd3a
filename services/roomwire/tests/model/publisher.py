"""What a gateway publishes: production's outbox, joined to the bulk link of the day."""

from typing import Any

from model.broken_outbox import outbox
from model.link import Link
from model.log import CHAIN, EPOCH, NO_SCRIPT, Said
from model.pipe import Answer, Lost, Process
from model.record import Message
from model.said import blob_of, target_of
from roomwire.errors import OutcomeUnknown, Unavailable
from roomwire.log.outbox import Batch, Publish
from roomwire.log.positions import Position


class Waiting:
    """Who waits for a publish, and for which message of the record."""

    __slots__ = ("answer", "is_settled", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.answer = Answer()
        self.is_settled = False


class Publisher:
    """Sends what a gateway publishes, in order, over whatever link there is."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        self._world = gateway.world
        self._bugs: frozenset[str] = gateway.bugs
        self._outbox = outbox(gateway.bugs, self._settled)
        self._link: Link | None = None
        self._count = 0
        self._is_flushing = False

    def publish(self, message: Message) -> Answer:
        """Append to the log. The answer comes when Redis has it: True; or False if it is certain that Redis never will; or the
        outcome is not known, which is `Lost`.
        """
        gateway, world = self._gateway, self._world
        self._count += 1
        message.turn = (gateway.name, self._count) if message.publisher is None else None
        message.publisher = gateway
        waiting = Waiting(message)
        message_id = str(message.number).encode() if message.retried else b""
        deadline = world.now + world.limits.publish_deadline
        self._outbox.add(Publish(target_of(message), blob_of(message), message_id, deadline, waiting))
        if not self._is_flushing and self._link is not None:
            # As production does at the end of a tick of its event loop: what was published in it goes together.
            self._is_flushing = True
            gateway.runner.later(self._flush())
        return waiting.answer

    def use(self, link: Link) -> None:
        """Send over a link from now on, first what was not answered on the last one."""
        self._link = link
        self._send()

    def link_lost(self) -> None:
        """Keep what is not answered for the next link."""
        self._link = None
        self._outbox.link_lost()

    def expire(self) -> None:
        """Give up what has waited for too long."""
        self._outbox.expire(self._world.now, _too_late)

    def _flush(self) -> Process:
        self._is_flushing = False
        self._send()
        yield from ()

    def _send(self) -> None:
        link = self._link
        while link is not None and (batch := self._outbox.next_batch()) is not None:
            epoch = self._gateway.subscriber.epoch
            link.call(
                "publish", self._gateway.name, epoch, batch.predecessor, _said(batch),
                then=lambda reply: self._answered(link, reply),
            )  # fmt: skip

    def _answered(self, link: Link, reply: Any) -> None:
        if link is not self._link:
            return
        if reply is EPOCH:
            self._gateway.relink()
        elif reply is NO_SCRIPT:
            link.tell("load")
            self._outbox.returned()
        elif reply is CHAIN:
            self._outbox.returned()
        else:
            self._outbox.answered(reply)
        self._send()

    def _settled(self, publish: Publish[Waiting], result: Any) -> None:
        waiting, gateway = publish.waiting, self._gateway
        if waiting.is_settled:
            return
        waiting.is_settled = True
        message = waiting.message
        if isinstance(result, Exception):
            message.is_refused = not isinstance(result, OutcomeUnknown)
            self._tell(waiting, False if message.is_refused else Lost)
            return
        if result is not None:
            position = Position(abs(result))
            gateway.subscriber.learn(position)
            if "cut_from_publishes" in self._bugs:
                gateway.subscriber.advance(position)
        message.witness = gateway
        message.is_acknowledged = True
        self._tell(waiting, True)

    def _tell(self, waiting: Waiting, value: Any) -> None:
        waiting.answer.value = value
        if waiting.answer.process is not None:
            self._gateway.runner.later(waiting.answer.process, value)


def _said(batch: Batch[Waiting]) -> list[Said]:
    return [
        Said(
            publish.number,
            publish.stream,
            publish.blob,
            publish.message_id.decode(),
            publish.waiting.message.number,
        )
        for publish in batch.publishes
    ]


def _too_late(publish: Publish[Waiting]) -> Exception:
    return OutcomeUnknown() if publish.is_uncertain else Unavailable()
