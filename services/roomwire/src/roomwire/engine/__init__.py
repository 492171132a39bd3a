"""Engine.IO 4: sessions over long-polling, WebSocket, and the upgrade from one to the other.

From the ground up: `packets` (what is on the wire), `session` (a state machine that knows no socket),
`wheel` (the one timer), `engine` (the sessions of a process and what python-socketio expects of an engine),
`polling` and `websocket` (the ASGI shells that drive the sessions), `fast` (the WebSocket shell under uvicorn).
"""

from roomwire.engine.engine import Engine
from roomwire.engine.limits import Limits

__all__ = ["Engine", "Limits"]
