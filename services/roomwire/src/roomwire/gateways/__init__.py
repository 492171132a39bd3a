"""The decorator API: gateways are classes with lifecycle hooks and subscribed handlers.

`gateway` has the base class, `binding` how a handler's parameters get their values, `chain` what runs around a handler, and
`socket` what a handler is given of a connection.
"""

from roomwire.gateways.binding import Key, subscribe
from roomwire.gateways.chain import Ack, Call, Filter, Guard, Interceptor, Proceed, Reply, mark
from roomwire.gateways.gateway import Gateway
from roomwire.gateways.pipes import Pipe
from roomwire.gateways.socket import Socket

__all__ = [
    "Ack",
    "Call",
    "Filter",
    "Gateway",
    "Guard",
    "Interceptor",
    "Key",
    "Pipe",
    "Proceed",
    "Reply",
    "Socket",
    "mark",
    "subscribe",
]
