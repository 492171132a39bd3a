# The classes of python-socketio as type checkers see them, because it has no types of its own.

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, overload

_Handler = TypeVar("_Handler", bound=Callable[..., Any])

class _Thread(Protocol):
    def join(self, timeout: float | None = None) -> None: ...

class _Base:
    connected: bool
    sid: str | None
    namespaces: dict[str, str]
    failed_namespaces: list[str]
    connection_namespaces: list[str]
    connection_auth: Any
    callbacks: dict[str, Any]
    packet_class: Any
    eio: Any
    reason: Any
    _binary_packet: Any
    _connect_event: Any
    _reconnect_task: Any

    def __init__(
        self,
        reconnection: bool = True,
        reconnection_attempts: int = 0,
        reconnection_delay: float = 1,
        reconnection_delay_max: float = 5,
        randomization_factor: float = 0.5,
        logger: Any = False,
        serializer: Any = "default",
        json: Any = None,
        handle_sigint: bool = True,
        **options: Any,
    ) -> None: ...
    @overload
    def on(
        self, event: str, handler: None = None, namespace: str | None = None
    ) -> Callable[[_Handler], _Handler]: ...
    @overload
    def on(self, event: str, handler: Callable[..., Any], namespace: str | None = None) -> None: ...
    @overload
    def event(self, handler: _Handler, /) -> _Handler: ...
    @overload
    def event(self, *, namespace: str | None = None) -> Callable[[_Handler], _Handler]: ...
    def register_namespace(self, namespace_handler: Any) -> None: ...
    def get_sid(self, namespace: str | None = None) -> str | None: ...
    def transport(self) -> str: ...
    def is_asyncio_based(self) -> bool: ...

class AsyncBase(_Base):
    async def connect(
        self,
        url: Any,
        headers: Any = ...,
        auth: object = None,
        transports: str | list[str] | None = None,
        namespaces: str | list[str] | None = None,
        socketio_path: str = "socket.io",
        wait: bool = True,
        wait_timeout: float = 1,
        retry: bool = False,
    ) -> None: ...
    async def wait(self) -> None: ...
    async def emit(
        self,
        event: str,
        data: object = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> None: ...
    async def send(
        self, data: object, namespace: str | None = None, callback: Callable[..., Any] | None = None
    ) -> None: ...
    async def call(
        self, event: str, data: object = None, namespace: str | None = None, timeout: float = 60
    ) -> Any: ...
    async def disconnect(self) -> None: ...
    async def shutdown(self) -> None: ...
    def start_background_task(
        self, target: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> Awaitable[Any]: ...
    async def sleep(self, seconds: float = 0) -> None: ...
    async def _get_real_value(self, value: Any) -> Any: ...
    async def _send_packet(self, pkt: Any) -> None: ...
    async def _handle_eio_disconnect(self, reason: str) -> None: ...
    async def _handle_reconnect(self) -> None: ...

class ThreadedBase(_Base):
    def connect(
        self,
        url: Any,
        headers: Any = ...,
        auth: object = None,
        transports: str | list[str] | None = None,
        namespaces: str | list[str] | None = None,
        socketio_path: str = "socket.io",
        wait: bool = True,
        wait_timeout: float = 1,
        retry: bool = False,
    ) -> None: ...
    def wait(self) -> None: ...
    def emit(
        self,
        event: str,
        data: object = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> None: ...
    def send(
        self, data: object, namespace: str | None = None, callback: Callable[..., Any] | None = None
    ) -> None: ...
    def call(
        self, event: str, data: object = None, namespace: str | None = None, timeout: float = 60
    ) -> Any: ...
    def disconnect(self) -> None: ...
    def shutdown(self) -> None: ...
    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> _Thread: ...
    def sleep(self, seconds: float = 0) -> None: ...
    def _get_real_value(self, value: Any) -> Any: ...
    def _send_packet(self, pkt: Any) -> None: ...
    def _handle_eio_disconnect(self, reason: str) -> None: ...
    def _handle_reconnect(self) -> None: ...
