"""Fixtures of the library's tests."""

import contextlib
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from roomwire import logs

# Test folders are no packages, and both services' tests use `live`.
sys.path.append(str(Path(__file__).parent))

LogText = Callable[[], str]
LogLines = Callable[[], list[dict[str, Any]]]


@contextlib.contextmanager
def logging_into_memory(log_format: logs.LogFormat) -> Iterator[LogText]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        logs.configure(level="info", log_format=log_format, node="tested")
    yield stream.getvalue
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """Log as a service does; call it for the lines written so far."""
    with logging_into_memory("auto") as text:
        yield lambda: [json.loads(line) for line in text().splitlines()]


@pytest.fixture
def console() -> Iterator[LogText]:
    """Log as on a terminal; call it for the text written so far."""
    with logging_into_memory("console") as text:
        yield text
