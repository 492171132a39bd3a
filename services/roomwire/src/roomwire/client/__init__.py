"""Clients for Python that recover: python-socketio's own, which keep their session over a lost connection.

`AsyncClient` replaces `socketio.AsyncClient`, and `Client` replaces `socketio.Client`. This package loads neither the server nor
the engine. The packages that make the connections come with `roomwire[client]`.
"""

from roomwire.client.async_client import AsyncClient
from roomwire.client.threaded_client import Client

__all__ = ["AsyncClient", "Client"]
