"""The costs of what clients cause, in units of the rates of events. Pure.

A unit is about a millisecond of CPU of the gateway and Redis together: an ordinary event has the cost 1, and a rate of 100 events a second
lets one connection use a tenth of a core. What costs more is charged more: a handler by its `cost` (`roomwire.gateways.binding.subscribe`),
an answer by its bytes, an event to a crowd by its receivers. `make economics` measures what each thing costs (docs/economics.md).

An event is refused only if the rate was exceeded before it: what it costs is known when it has been handled, and delays the events
after it, those included that have arrived and wait (`roomwire.server.charges`).
"""

from typing import Final

ANSWER_BYTES: Final = 16_384
"""The bytes of an answer that cost one unit."""
RECEIVERS: Final = 100
"""The receivers on this node that cost one unit, if an event goes to very many."""
CONNECT: Final = 2
"""The cost of connecting to a namespace again: a token is verified and a session is opened. As many CONNECTs of a connection as it may
have namespaces are free, so that a client that connects again can send at once what it has kept."""
MAX_COST: Final = 10_000


def of_answer(size: int) -> int:
    """Return what the bytes of an answer cost, beyond the cost of its event."""
    return size // ANSWER_BYTES


def of_receivers(number: int) -> int:
    """Return what the deliveries of an event to its receivers on this node cost, beyond the cost of the event."""
    return number // RECEIVERS


def check_cost(cost: object) -> int:
    """Return the cost of a handler.

    Raises:
        ValueError: It is not a whole number from 1 to `MAX_COST`.

    """
    if isinstance(cost, bool) or not isinstance(cost, int) or not 1 <= cost <= MAX_COST:
        raise ValueError(f"the cost of an event is a whole number from 1 to {MAX_COST:,}, not {cost!r}")
    return cost
