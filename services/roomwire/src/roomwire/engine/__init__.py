"""Engine.IO 4: sessions over long-polling, WebSocket, and the upgrade from one to the other.

From the bottom up: `session` is a state machine that knows no socket. `turn` collects the output of one turn of the event loop, and
`wheel` is the one timer. `connection` joins a session and its transport. `engine` holds the sessions of a process and offers what
python-socketio expects of an engine. `admission` decides whether a request is admitted. `polling` and `websocket` are the ASGI
shells that drive the sessions, joined by `asgi`; `fast_socket` and `fast` are the WebSocket shell under uvicorn. The wire formats
are in `roomwire.protocol`.
"""
