"""Traces: a span for each event, connection, recovery, publish and delivery, linked over the log. They are off unless a `Tracing` is made.

Owns all use of OpenTelemetry, whose API is imported when a `Tracing` is made. The application brings the SDK, and decides by it
what is sampled and where spans go. Span kinds and the names of attributes are those of OpenTelemetry's semantic conventions for
messaging (1.45.0, in development); names that begin with `roomwire.` are ours.

A sampled publish carries its W3C trace context in its entry of the log (`Message.trace`), so the deliveries on all nodes belong to its
trace. What clients send is never taken for a trace context: a stranger could otherwise decide what is sampled.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from roomwire.errors import ClientError, ConfigurationError, Internal

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, TracerProvider

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.45.0"
_NAME: Final = "roomwire"
_SYSTEM: Final = "roomwire"
_HEADERS: Final = ("traceparent", "tracestate")


def is_available() -> bool:
    """Return whether OpenTelemetry's API is installed."""
    try:
        return find_spec("opentelemetry.trace") is not None
    except ImportError:
        return False


class Tracing:
    """Makes spans.

    Args:
        provider: Makes the tracer. Default: OpenTelemetry's global provider, which the application or `opentelemetry-instrument` sets.

    Attributes:
        label_of: Returns the pattern that serves a namespace, else the namespace, for the names of spans, which must not be unbounded;
            the server sets it.

    Raises:
        ConfigurationError: OpenTelemetry's API is not installed.

    """

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        if not is_available():
            raise ConfigurationError("tracing needs OpenTelemetry's API: pip install 'roomwire[tracing]'")
        from opentelemetry import trace  # noqa: PLC0415 - a process without traces does not load it
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415 - the same

        self.label_of: Callable[[str], str] = str
        self._trace = trace
        self._propagator = tracecontext.TraceContextTextMapPropagator()
        self._tracer = trace.get_tracer(_NAME, tracer_provider=provider, schema_url=SCHEMA_URL)

    def event(self, event: str, namespace: str) -> AbstractContextManager[None]:
        """Run the handler of a client's event in a span."""
        kind = self._trace.SpanKind.CONSUMER
        return self._span("process", namespace, kind, {"messaging.operation.type": "process"}, event=event)

    def connection(self, namespace: str) -> AbstractContextManager[None]:
        """Connect a client, or refuse it, in a span."""
        return self._span("connect", namespace, self._trace.SpanKind.SERVER, {})

    def publish(self, event: str, namespace: str) -> AbstractContextManager[None]:
        """Publish an event in a span, whose context `carried` returns meanwhile."""
        kind = self._trace.SpanKind.PRODUCER
        return self._span("send", namespace, kind, {"messaging.operation.type": "send"}, event=event)

    def delivery(
        self, carried: tuple[str, ...], namespace: str, receivers: int
    ) -> AbstractContextManager[None]:
        """Deliver an entry to its receivers on this node in a span of the publish's trace.

        Args:
            carried: The trace context of the entry.
            namespace: The namespace.
            receivers: The number of receivers.

        """
        context = self._context_of(carried)
        about: dict[str, str | int] = {
            "messaging.operation.type": "process",
            "messaging.batch.message_count": receivers,
        }
        kind = self._trace.SpanKind.CONSUMER
        return self._span("deliver", namespace, kind, about, context=context)

    def recovery(self, namespace: str) -> AbstractContextManager[None]:
        """Recover a client's session in a span, for `replays` or `not_recovered`."""
        kind = self._trace.SpanKind.CONSUMER
        return self._span("recover", namespace, kind, {"messaging.operation.type": "receive"})

    def replays(self, carried: Sequence[tuple[str, ...]]) -> None:
        """Note in the present span what is replayed, and link it to the publishes that were sampled.

        Args:
            carried: The trace context of each entry; empty for those that were not sampled.

        """
        span = self._trace.get_current_span()
        if not span.is_recording():
            return
        span.set_attribute("messaging.batch.message_count", len(carried))
        for each in carried:
            if each:
                span.add_link(self._trace.get_current_span(self._context_of(each)).get_span_context())

    def not_recovered(self, reason: str) -> None:
        """Note in the present span why the client gets a new session."""
        self._trace.get_current_span().set_attribute("roomwire.refusal", reason)

    def carried(self) -> tuple[str, ...]:
        """Return the trace context for an entry: none if the present span is not sampled."""
        if not self._trace.get_current_span().get_span_context().trace_flags.sampled:
            return ()
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return tuple(carrier[name] for name in _HEADERS if name in carrier)

    def refused(self, code: str) -> None:
        """Note in the present span that the client is refused, with the code of the error."""
        self._fail(self._trace.get_current_span(), code)

    def _context_of(self, carried: tuple[str, ...]) -> "Context":
        return self._propagator.extract(dict(zip(_HEADERS, carried, strict=False)))

    @contextlib.contextmanager
    def _span(
        self,
        operation: str,
        namespace: str,
        kind: "SpanKind",
        about: Mapping[str, str | int],
        *,
        event: str = "",
        context: "Context | None" = None,
    ) -> Iterator[None]:
        label = self.label_of(namespace)
        attributes = {
            "messaging.system": _SYSTEM,
            "messaging.operation.name": operation,
            "messaging.destination.name": namespace,
            **about,
        }
        if label != namespace:
            attributes["messaging.destination.template"] = label
        if event:
            attributes["roomwire.event"] = event
        with self._tracer.start_as_current_span(
            f"{operation} {label}",
            context=context,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except ClientError as error:
                self._fail(span, error.code)
                raise
            except Exception as error:
                span.record_exception(error)
                self._fail(span, Internal.code)
                raise

    def _fail(self, span: "Span", code: str) -> None:
        span.set_attribute("error.type", code)
        span.set_status(self._trace.StatusCode.ERROR)
