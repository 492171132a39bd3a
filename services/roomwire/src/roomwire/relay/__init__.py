"""The relay: forwards requests that reach a node without their session to the node that holds it.

`proof` shows two nodes that both know the secret, and `head` selects the parts of a request that are forwarded; both are pure.
`owners` finds nodes. `relay` forwards requests to them (`link`: the connection; `exchange`: polling; `splice`: WebSockets), and
`listener` accepts them. The engine knows only `roomwire.engine.relay`.
"""

from roomwire.relay.listener import RelayListener
from roomwire.relay.owners import advertised
from roomwire.relay.relay import Relay

__all__ = ["Relay", "RelayListener", "advertised"]
