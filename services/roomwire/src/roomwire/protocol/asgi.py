"""The types of ASGI, version 3, as the library uses them, so that it depends on no release of a server or framework."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Environ = Mapping[str, Any]
"""A request as python-socketio's handlers know it: a WSGI environ with additional keys."""
