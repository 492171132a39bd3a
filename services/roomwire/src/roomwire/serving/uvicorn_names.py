"""The names of uvicorn that the serving code and the relay's listener override or use."""

from collections.abc import Mapping
from typing import Final

from roomwire.health.packages import Foreign

RELIED_ON: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol": (
        "_should_upgrade",
        "_start_asgi_task",
        "_unset_keepalive_if_required",
        "client",
        "connection_lost",
        "connection_made",
        "cycle",
        "data_received",
        "flow",
        "handle_websocket_upgrade",
        "loop",
        "on_body",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_response_complete",
        "on_url",
        "parser",
        "pause_writing",
        "pipeline",
        "resume_writing",
        "server_state",
        "shutdown",
        "timeout_keep_alive",
        "timeout_keep_alive_handler",
        "timeout_keep_alive_task",
        "transport",
    ),
    "uvicorn.protocols.http.httptools_impl.RequestResponseCycle": (
        "chunked_encoding",
        "disconnected",
        "expected_content_length",
        "keep_alive",
        "message_event",
        "response_complete",
        "response_started",
        "scope",
        "send",
        "send_500_response",
        "waiting_for_100_continue",
    ),
    "uvicorn.protocols.http.flow_control.FlowControl": ("read_paused", "resume_reading"),
    "uvicorn.server.ServerState": ("connections", "default_headers", "tasks"),
}
"""The names by the object that has them."""

UVICORN: Final = Foreign("uvicorn", oldest="0.52", newest="0.54", names=RELIED_ON)
