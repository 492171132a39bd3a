"""A plugin of pytest that lets uvicorn parse HTTP by h11, as where no httptools is installed.

An application in python-socketio's tests sends headers as texts, which only h11 takes; Roomwire brings httptools.
"""

from uvicorn.config import HTTP_PROTOCOLS

HTTP_PROTOCOLS["auto"] = HTTP_PROTOCOLS["h11"]
