"""Incoming HTTP: uvicorn's protocol with limits on the size, number and time of a client's requests.

This module owns the limits of one listener's connections: the bytes, counts and times of requests, and the number of
connections. It must not interpret the content of a request, nor limit its body: both are the application's task.
Its neighbour `roomwire.serving.process` gives `bounded_http` to `uvicorn.Config(http=...)`.

A refused request ends its connection. The request is answered if no other answer is in progress; then the connection is read for a
moment, so that the answer is not lost to a reset (RFC 9112, section 9.6).

The names of uvicorn that are overridden or used here are in `roomwire.serving.uvicorn_names`, and are checked on import.
"""

import asyncio
import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, NoReturn

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from roomwire.limits.accounts import Accounts
from roomwire.limits.connections import Connections, Full
from roomwire.limits.http import HttpLimits
from roomwire.limits.unsent import Unsent
from roomwire.metrics.http import HttpMetrics
from roomwire.protocol.addresses import host_and_port, household
from roomwire.serving.http_cycles import Cycle, OldHttpCycle
from roomwire.serving.http_refusals import HttpRefusal, refusal_answer
from roomwire.serving.refusal_log import RefusalLog
from roomwire.serving.uvicorn_names import UVICORN

UVICORN.check()

_REQUEST_LINE_BYTES: Final = len(b"GET  HTTP/1.1\r\n\r\n")
_FIELD_LINE_BYTES: Final = len(b": \r\n")
_CURRENT_HTTP: Final = "1.1"


def bounded_http(
    limits: HttpLimits, *, metrics: HttpMetrics, accounts: Accounts | None = None
) -> type[HttpToolsProtocol]:
    """Return the class for `uvicorn.Config(http=...)`, for one listener.

    Args:
        limits: The limits for clients.
        metrics: Counts refusals.
        accounts: Tells whether the process has too little memory for further connections. Default: it never has.

    """

    class Bounded(_BoundedHttp):
        _limits = limits
        _accounts = accounts or Accounts()
        _connections = Connections(
            limits.max_connections, max_connections_per_address=limits.max_connections_per_address
        )
        _refused = {refusal: metrics.counter(refusal.value) for refusal in HttpRefusal}  # noqa: RUF012
        _refusals = RefusalLog()

    return Bounded


def let_part(http: object) -> None:
    """End each connection of a listener with its next answer, so that no proxy sends a request into a closing connection.

    Args:
        http: A class that `bounded_http` has returned; other classes are ignored.

    """
    if isinstance(http, type) and issubclass(http, _BoundedHttp):
        http._connections.is_closing = True  # noqa: SLF001 - of a class of this module


class _Refused(Exception):
    """Ends the parsing of a request that breaks a limit."""


class _BoundedHttp(HttpToolsProtocol):
    """One connection, until it is lost or becomes a WebSocket.

    At most one timer runs while the rest of a request's headers or body is awaited, another while the client does not
    read, and uvicorn's while the connection is idle.
    """

    _limits: ClassVar[HttpLimits]
    _accounts: ClassVar[Accounts]
    _connections: ClassVar[Connections]
    _refused: ClassVar[Mapping[HttpRefusal, Callable[[], None]]]
    _refusals: ClassVar[RefusalLog]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.timeout_keep_alive = self._limits.keep_alive_s  # type: ignore[assignment] # a float is valid as well
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = Unsent(self.loop, self._limits.body_timeout_s, self._cut_unread)
        self._is_old_http = False
        self._is_parting = False
        self._serving: RequestResponseCycle | None = None
        self._refusal = HttpRefusal.MALFORMED
        self._full: Full | None = None
        self._is_over = False
        self._is_in_body = False
        self._has_begun = False
        self._has_progressed = False
        self._unparsed_bytes = 0
        self._header_bytes = 0
        self._header_count = 0

    # Called by asyncio.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        # As in uvicorn, which creates a Python socket for each of the two addresses.
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = host_and_port(transport.get_extra_info("sockname"))
        self.client = host_and_port(transport.get_extra_info("peername"))
        self.scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        if self._accounts.is_exhausted:
            self._full = Full.MEMORY
        else:
            self._full = self._connections.admit(household(self._address))
        if self._full is None:
            self._start_timer()
        else:
            self._turn_away(HttpRefusal(self._full))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._unsent.stop()
        if self._full is None:
            self._connections.release(household(self._address))
        else:
            self._connections.turned_away -= 1
        # uvicorn tells only the latest request: an earlier one that is still being answered would wait on.
        _abandon(self._serving)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data as uvicorn does, but without a log line for each malformed input of a stranger."""
        if self._is_over:
            self._discard(len(data))
            return
        if self._full is not None:
            self._part(HttpRefusal(self._full))
            return
        self._unset_keepalive_if_required()
        self._has_progressed = False
        try:
            is_upgraded = self._feed(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        if is_upgraded:
            self.handle_websocket_upgrade()
        elif not self.transport.is_closing():
            self._await_rest(len(data))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent.watch(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unsent.stop()
        if self._serving is None or self._serving.response_complete:
            # Nothing more is written, so nothing else would check whether the client reads the rest.
            self._unsent.watch(self.transport)

    # Called by uvicorn.

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unsent.stop()
        self._unsent.watch(self.transport)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, unless its next request has arrived and was only not read yet."""
        if self._has_unread():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Close the connection, or make the request that is arriving its last one."""
        self._is_parting = True
        # A connection that is over has a timer of its own.
        is_busy = self._is_over or self._has_begun or self._is_in_body or self._unparsed_bytes > 0
        if not is_busy and not self._has_unread():
            super().shutdown()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket; it stays counted until it is lost."""
        if self._serving is not None and not self._serving.response_complete:
            # The pending answer would be written between the WebSocket's frames.
            self._refuse(HttpRefusal.MALFORMED)
            return
        self._is_over = True
        self._stop_timer()
        self._unsent.stop()
        super().handle_websocket_upgrade()
        # The parser refers to this protocol, which will not be told of the connection's end any more.
        self.parser = None  # type: ignore[assignment]
        # The protocol that has taken over may hand over again within this turn of the loop.
        self.loop.call_soon(self._connections.watch, self.transport, household(self._address))

    # Called by the parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_begun = True
        self._header_bytes = _REQUEST_LINE_BYTES
        self._header_count = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._header_bytes += len(url)
        if len(self.url) > self._limits.max_url_bytes:
            self._stop(HttpRefusal.URL_BYTES)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; count a trailer and drop it.

        uvicorn would add trailers to the request's headers, where they would count as headers of a proxy
        (RFC 9110, section 6.5.1).
        """
        if self._is_in_body:
            self._measure([(name, value)])
        else:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._measure(self.headers)
        if len(self.pipeline) >= self._limits.max_pipelined_requests:
            self._stop(HttpRefusal.PIPELINED_REQUESTS)
        self._is_old_http = self.parser.get_http_version() < _CURRENT_HTTP
        if self._is_old_http and any(name == b"transfer-encoding" for name, _ in self.headers):
            # HTTP/1.0 has no Transfer-Encoding, so the end of the body is uncertain: RFC 9112, section 6.1.
            self._stop(HttpRefusal.MALFORMED)
        if [name for name, _ in self.headers].count(b"host") > 1:
            # It is uncertain by which of them a proxy has routed the request: RFC 9112, section 3.2.
            self._stop(HttpRefusal.MALFORMED)
        if self._should_upgrade() and any(map(_is_of_a_body, self.headers)):
            # What follows could be a body or frames: a proxy may read the one, and this process the other.
            self._stop(HttpRefusal.MALFORMED)
        earlier = self.cycle
        super().on_headers_complete()
        if self.cycle is not earlier:
            self._adapt(self.cycle)
        self._is_in_body = True
        self._progress()

    def _should_upgrade(self) -> bool:
        # In HTTP/1.0 the header means nothing: RFC 9110, section 7.8.
        return not self._is_old_http and super()._should_upgrade()

    def on_body(self, body: bytes) -> None:
        self._has_progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_body = False
        self._has_begun = False
        self._progress()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    # Ours.

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _feed(self, data: bytes) -> bool:
        """Parse the data; return whether it ends in a request for a WebSocket.

        The parser stops after each request that asks for another protocol. If the protocol is not changed, further
        requests follow.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self._should_upgrade():
                    return True
                data = data[upgrade.args[0] :]
            else:
                break
        return False

    def _adapt(self, cycle: RequestResponseCycle) -> None:
        """Prepare the answer of a request for its version of HTTP, and for the connection's end if it is the last one."""
        cycle.__class__ = OldHttpCycle if self._is_old_http else Cycle
        if self._is_old_http:
            cycle.keep_alive = self.parser.should_keep_alive()
            # A client of HTTP/1.0 does not wait for a 100: RFC 9110, section 10.1.1.
            cycle.waiting_for_100_continue = False
        if self._is_parting or self._connections.is_closing:
            cycle.keep_alive = False

    def _has_unread(self) -> bool:
        """Return whether data has arrived that the loop has not read yet: it may run a timer before it reads."""
        socket = self.transport.get_extra_info("socket")
        descriptor = -1 if socket is None else socket.fileno()
        if descriptor < 0:
            return False
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return any(events & select.POLLIN for _, events in poll.poll(0))

    def _cut_unread(self) -> None:
        self._count(HttpRefusal.UNREAD)
        self._is_over = True
        self.transport.abort()

    def _stop(self, refusal: HttpRefusal) -> NoReturn:
        self._refusal = refusal
        raise _Refused(refusal)

    def _measure(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._header_count += len(headers)
        self._header_bytes += sum(len(name) + len(value) + _FIELD_LINE_BYTES for name, value in headers)
        if self._header_count > self._limits.max_headers:
            self._stop(HttpRefusal.HEADERS)
        if self._header_bytes > self._limits.max_header_bytes:
            self._stop(HttpRefusal.HEADER_BYTES)

    def _progress(self) -> None:
        self._has_progressed = True
        self._stop_timer()

    def _await_rest(self, size: int) -> None:
        """Determine what the client still has to send after a read.

        The parser reports a header only when it is complete, and headers are measured when all are present. Therefore
        reads that completed nothing are counted in full: they belong to one head, trailer or chunk size.
        """
        self._unparsed_bytes = 0 if self._has_progressed else self._unparsed_bytes + size
        if self._unparsed_bytes > self._limits.max_header_bytes:
            self._refuse(HttpRefusal.HEADER_BYTES)
        elif self._timer is None and (self._is_in_body or self._has_begun or self._unparsed_bytes):
            self._start_timer()

    def _start_timer(self) -> None:
        limits = self._limits
        timeout_s = limits.body_timeout_s if self._is_in_body else limits.header_timeout_s
        self._timer = self.loop.call_later(timeout_s, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        if self._full is not None:
            self._part(HttpRefusal(self._full))
        elif self.flow.read_paused:
            # The application pauses reading; that is not the client's fault.
            self._start_timer()
        else:
            self._refuse(HttpRefusal.BODY_TIMEOUT if self._is_in_body else HttpRefusal.HEADER_TIMEOUT)

    def _turn_away(self, refusal: HttpRefusal) -> None:
        """Wait for an excess client's request before the answer, as many clients fail on an earlier answer."""
        self._count(refusal)
        self._connections.turned_away += 1
        if self._connections.turned_away > self._limits.max_turned_away:
            self._is_over = True
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(self._limits.linger_s, self._time_out)

    def _refuse(self, refusal: HttpRefusal) -> None:
        self._count(refusal)
        self._part(refusal)

    def _count(self, refusal: HttpRefusal) -> None:
        self._refused[refusal]()
        self._refusals.note(refusal, self._address)

    def _part(self, refusal: HttpRefusal) -> None:
        """Answer if that is possible, and let the connection end."""
        self._is_over = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        may_answer = self._may_answer(refusal)
        _abandon(self._serving)
        _abandon(self.cycle)
        self.pipeline.clear()
        if not may_answer:
            self.transport.abort()
            return
        self.transport.write(refusal_answer(refusal, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self._linger()
        else:
            self.transport.close()

    def _may_answer(self, refusal: HttpRefusal) -> bool:
        """Return whether the client would relate an answer sent now to the refused request."""
        serving = self._serving
        if self._is_in_body:
            return serving is not None and serving is self.cycle and not serving.response_started
        was_silent = refusal is HttpRefusal.HEADER_TIMEOUT and not self._has_begun
        return not was_silent and (serving is None or serving.response_complete)

    def _discard(self, size: int) -> None:
        self._unparsed_bytes += size
        if self._unparsed_bytes > self._limits.max_linger_bytes:
            self.transport.abort()

    def _linger(self) -> None:
        self._unparsed_bytes = 0
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(self._limits.linger_s, self.transport.abort)


def _is_of_a_body(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == b"transfer-encoding" or (name == b"content-length" and value != b"0")


def _abandon(cycle: RequestResponseCycle | None) -> None:
    """Tell the application that its client has gone; its further output is dropped."""
    if cycle is not None and not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()
