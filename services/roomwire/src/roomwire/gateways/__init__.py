"""The decorator API: gateways are classes with lifecycle hooks and subscribed handlers.

`gateway` has the base class, `binding` how a handler's parameters get their values, `socket` what a handler
is given of a connection.
"""

from roomwire.gateways.binding import Key, subscribe
from roomwire.gateways.gateway import Gateway
from roomwire.gateways.socket import Socket

__all__ = ["Gateway", "Key", "Socket", "subscribe"]
