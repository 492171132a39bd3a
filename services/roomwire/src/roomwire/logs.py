"""Logging with structlog for our own lines; the lines of all other loggers are routed through it.

This module owns the one handler of the process. Every line, ours or a library's, is one event with fields and a time in
UTC, and passes `redact` last, so that no token or password is written, whichever library logs it.
"""

import contextlib
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final, Literal, TextIO, cast

import structlog

LogFormat = Literal["auto", "json", "console"]

# Each pattern reads a character a bounded number of times for any text, because clients choose the text.
_TOKEN = re.compile(r"eyJ[\w.-]*")
# As in a query, a Python repr or JSON: token=x, password='x', "password": "x"
_NAMED_SECRET = re.compile(r"(?i)\b(\w*(?:token|password)(?:=[\"']?|[\"']:\s*[\"']))[^&\s\"']+")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[^\s\"',]+")
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@/]+@")
_SECRET_FIELDS = frozenset({"authorization", "cookie", "password", "refresh_token", "access_token", "token"})
_MASK = "[redacted]"
_LEVELS: Final = {
    **logging.getLevelNamesMapping(),
    **{name.lower(): level for name, level in logging.getLevelNamesMapping().items()},
    "exception": logging.ERROR,
}


def configure(
    *, level: str = "info", log_format: LogFormat = "auto", node: str = "", has_traces: bool = False
) -> None:
    """Set up the process's logging; call it once, before anything logs.

    Args:
        level: The lowest level that is written: `debug`, `info`, `warning`, `error`.
        log_format: `json` lines, `console` for people, or `auto`: console on a terminal, JSON elsewhere.
        node: The node's name, a field of every line. Default: no such field.
        has_traces: Whether a line within a span of OpenTelemetry has its ids as the fields `trace_id` and `span_id`. OpenTelemetry's
            API has to be installed.

    """

    def stamp_node(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        if node:
            event["node"] = node
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        stamp_node,
        structlog.processors.StackInfoRenderer(),
    ]
    if has_traces:
        shared.append(_span_stamp())
    as_json = log_format == "json" or (log_format == "auto" and not sys.stdout.isatty())
    renderer: list[structlog.typing.Processor]
    if as_json:
        renderer = [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
    else:
        colors = sys.stdout.isatty()
        renderer = [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=colors),
        ]

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # At INFO, httpx logs every request, which the metrics count, and uvicorn repeats lines of the service.
    for chatty in ("httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))

    structlog.configure(
        processors=[*shared, _Direct(handler, renderer)],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class _Direct:
    """Writes our own lines past the standard library's records, which cost more than the rest of a line: a structlog processor.

    It does so only where the line would reach this one handler and nothing else. If a program has added handlers or filters, such as
    those of an error tracker, or has set the level of a logger, the line goes the standard library's way, with the same text.

    Args:
        handler: The handler whose stream is written.
        renderer: The processors that make the text.

    """

    def __init__(
        self, handler: logging.StreamHandler[TextIO], renderer: Sequence[structlog.typing.Processor]
    ) -> None:
        self._handler = handler
        self._renderer = renderer

    def __call__(
        self, logger: logging.Logger, name: str, event: MutableMapping[str, object]
    ) -> tuple[tuple[MutableMapping[str, object]], Mapping[str, Mapping[str, object]]]:
        """Write a line and end its way, or pass it on to the standard library's way."""
        if self._is_alone(logger, name):
            # A line that cannot be written is rendered again by the standard library, which reports the error.
            with contextlib.suppress(Exception):
                self._write(logger, name, dict(event))
                raise structlog.DropEvent  # a BaseException
        return structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, name, event)

    def _write(self, logger: logging.Logger, name: str, event: MutableMapping[str, object]) -> None:
        line: Any = event
        for processor in self._renderer:
            line = processor(logger, name, line)
        handler = self._handler
        handler.acquire()
        try:
            handler.stream.write(f"{line}{handler.terminator}")
            handler.flush()
        finally:
            handler.release()

    def _is_alone(self, logger: logging.Logger, name: str) -> bool:
        if self._handler.filters or not logger.isEnabledFor(_LEVELS.get(name, logging.NOTSET)):
            return False
        at = logger
        while at.parent is not None:
            if at.handlers or at.filters or at.disabled or not at.propagate:
                return False
            at = at.parent
        return at.handlers == [self._handler] and not at.filters


def _span_stamp() -> structlog.typing.Processor:
    from opentelemetry import trace  # noqa: PLC0415 - a process without traces does not load it

    def stamp(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            event["trace_id"] = trace.format_trace_id(span.trace_id)
            event["span_id"] = trace.format_span_id(span.span_id)
        return event

    return stamp


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module. Events are constant phrases; the data are fields.

    Unless structlog is configured, by `configure` or by the program, lines go to the standard library's logger of that name, as
    those of any library: by default, only warnings and errors are shown.
    """
    return cast("structlog.stdlib.BoundLogger", _Logger(name))


def _line(_: object, __: str, event: MutableMapping[str, object]) -> str:
    """Return the text of a line: the event, its fields, and the traceback below: a structlog processor."""
    traceback = event.pop("exception", None)
    fields = [f"{name}={value!r}" for name, value in event.items() if name != "event"]
    line = " ".join([str(event["event"]), *fields])
    return line if traceback is None else f"{line}\n{traceback}"


class _Logger:
    """The logger of a module, whether structlog is configured or not."""

    def __init__(self, name: str) -> None:
        self._configured = structlog.stdlib.get_logger(name)
        self._plain = structlog.wrap_logger(
            logging.getLogger(name),
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
            processors=UNCONFIGURED,
        )

    def __getattr__(self, name: str) -> object:
        return getattr(self._configured if structlog.is_configured() else self._plain, name)


def redact(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Mask secrets in every field of a log line: a structlog processor."""
    return {key: _MASK if key.lower() in _SECRET_FIELDS else _redact(value) for key, value in event.items()}


def _redact(value: object) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {
            key: _MASK if str(key).lower() in _SECRET_FIELDS else _redact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redact(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(str(value))


def redact_text(text: str) -> str:
    """Mask what looks like a token, a bearer header or a password in a URL."""
    if not _may_have_secrets(text):
        return text
    text = _TOKEN.sub(_mask_token, text)
    text = _NAMED_SECRET.sub(rf"\1{_MASK}", text)
    text = _BEARER.sub(rf"\1{_MASK}", text)
    return _URL_PASSWORD.sub(rf"\1{_MASK}@", text)


def _may_have_secrets(text: str) -> bool:
    """Return whether a text has what one of the patterns needs, as nearly none does."""
    # `casefold` takes more letters for the same than the patterns do.
    text = text.casefold()
    return "eyj" in text or "token" in text or "password" in text or "bearer" in text or "://" in text


def _mask_token(found: re.Match[str]) -> str:
    """Return the mask for a JWT; what merely begins like one has no dot."""
    return _MASK if "." in found[0] else found[0]


UNCONFIGURED: Final[list[structlog.typing.Processor]] = [
    structlog.stdlib.filter_by_level,
    structlog.processors.format_exc_info,
    redact,
    _line,
]
"""The processors of lines where structlog is not configured. `roomwire.testing` looks at lines before them."""
