"""Handlers that run in a span each, for a server with traces."""

from collections.abc import Callable, Mapping

from roomwire.gateways.lane import Handler
from roomwire.tracing import Tracing


def traced(handlers: Mapping[str, Handler], tracing: Tracing, namespace: str) -> Mapping[str, Handler]:
    """Return the handlers of a gateway, each of which runs in a span. They begin in the same order as without spans."""
    return {
        event: Handler(
            event,
            _traced(handler.method, tracing, event, namespace),
            handler.binding,
            is_plain=False,
            takes_ack=handler.takes_ack,
            surcharge=handler.surcharge,
        )
        for event, handler in handlers.items()
    }


def _traced(
    method: Callable[..., object], tracing: Tracing, event: str, namespace: str
) -> Callable[..., object]:
    async def handle(**arguments: object) -> object:
        with tracing.event(event, namespace):
            result = method(**arguments)
            return await result if hasattr(result, "__await__") else result

    return handle
