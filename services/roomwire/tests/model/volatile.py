"""What a gateway emits to clients that are there: pushed by Redis to all gateways, appended nowhere, sent once.

Production's class does so for all messages of a tick of the event loop together.
"""

from typing import Any

from model.record import Message
from model.said import blob_of, target_of


class VolatilePublisher:
    """Sends volatile events over the bulk link of the day, or drops them."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        self._unanswered: dict[int, Message] = {}

    def publish(self, message: Message) -> None:
        """Push a message; without a live link it is dropped."""
        gateway, number = self._gateway, message.number
        if not gateway.is_live:
            return
        self._unanswered[number] = message
        gateway.bulk.call(
            "push", gateway.subscriber.epoch, target_of(message), blob_of(message),
            then=lambda _: self._unanswered.pop(number, None),
        )  # fmt: skip

    def resumed(self) -> None:
        """Go on over a new link: what was under way on the last one may have been pushed, and is forgotten."""
        unanswered, self._unanswered = self._unanswered, {}
        if "volatile_sent_again" in self._gateway.bugs:
            for message in unanswered.values():
                self.publish(message)
