"""The relay: forwards requests that reach a node without their session to the node that holds it.

`proof` is how two nodes show each other that they know the secret, `head` what of a request goes on; both are pure.
`owners` finds nodes, `relay` takes requests to them (`link`: the way there; `exchange`: polling; `splice`: WebSockets),
`listener` takes them in. The engine knows `roomwire.engine.relay` alone.
"""

from roomwire.relay.listener import RelayListener
from roomwire.relay.owners import advertised
from roomwire.relay.relay import Relay

__all__ = ["Relay", "RelayListener", "advertised"]
