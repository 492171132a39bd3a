"""Engine.IO 4: sessions over long-polling, WebSocket, and the upgrade from one to the other.

From the ground up: `session` (a state machine that knows no socket), `turn` (what goes out within one turn of the loop)
and `wheel` (the one timer), `connection` (a session and its transport), `engine` (the sessions of a process and what
python-socketio expects of an engine), `admission` (whether a request may do what it asks for), `polling` and `websocket`
(the ASGI shells that drive the sessions, joined by `asgi`), `fast_socket` and `fast` (the WebSocket shell under uvicorn).
What stands on the wire is in `roomwire.protocol`.
"""
