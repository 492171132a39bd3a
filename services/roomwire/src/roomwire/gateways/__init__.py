"""The decorator API: gateways are classes with lifecycle hooks and subscribed handlers.

`gateway` has the base class, `binding` how a handler's parameters get their values, `chain` what runs around a handler, and
`socket` what a handler is given of a connection.
"""

from roomwire.gateways.binding import Key, subscribe
from roomwire.gateways.chain import Call, Filter, Guard, Interceptor, Proceed, mark
from roomwire.gateways.gateway import Gateway
from roomwire.gateways.pipes import Pipe
from roomwire.gateways.socket import Socket

__all__ = [
    "Call",
    "Filter",
    "Gateway",
    "Guard",
    "Interceptor",
    "Key",
    "Pipe",
    "Proceed",
    "Socket",
    "mark",
    "subscribe",
]
