"""The decorator API: gateways are classes with lifecycle hooks and subscribed handlers.

`gateway` has the base class. `binding` binds a handler's parameters to values, `chain` runs guards, interceptors and filters around a
handler, and `socket` is the connection that a handler gets.
"""

from roomwire.gateways.binding import Key, subscribe
from roomwire.gateways.chain import Ack, Call, Filter, Guard, Interceptor, Proceed, Reply, mark
from roomwire.gateways.declared import emits
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
    "emits",
    "mark",
    "subscribe",
]
