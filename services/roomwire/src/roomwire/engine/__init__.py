"""Engine.IO 4: sessions over long-polling, WebSocket, and the upgrade from one to the other.

From the ground up: `packets` (what is on the wire), `session` (a state machine that knows no socket), `turn`
(what goes out within one turn of the loop) and `wheel` (the one timer), `connection` (a session and its
transport), `environ`, `opening` and `admission` (requests: what they say, and whether they may), `engine` (the
sessions of a process and what python-socketio expects of an engine), `polling` and `websocket` (the ASGI shells
that drive the sessions), `reader` and `fast` (a client's frames, and the WebSocket shell under uvicorn).
"""

from roomwire.engine.engine import Engine
from roomwire.engine.limits import Limits

__all__ = ["Engine", "Limits"]
