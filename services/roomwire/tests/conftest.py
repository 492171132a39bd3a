"""Fixtures of the library's tests."""

import asyncio
import contextlib
import io
import json
import logging
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import uvloop

from roomwire import logs

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("roomwire", deadline=None)
hypothesis.settings.load_profile("roomwire")

TESTS = Path(__file__).parent
ON_EVERY_LOOP = {
    "engine/test_asgi_socket.py",
    "engine/test_fast_socket.py",
    "serving/test_http.py",
    "server/test_order.py",
    "log/redis/test_log.py",
}

LogText = Callable[[], str]
LogLines = Callable[[], list[dict[str, Any]]]


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what depends on transports on both loops: the services have uvloop, tests and others asyncio's."""
    factories = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return (
        factories
        if item.path.relative_to(TESTS).as_posix() in ON_EVERY_LOOP
        else {"asyncio": asyncio.new_event_loop}
    )


@contextlib.contextmanager
def logging_into_memory(log_format: logs.LogFormat, *, has_traces: bool = False) -> Iterator[LogText]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        logs.configure(level="info", log_format=log_format, node="tested", has_traces=has_traces)
    yield stream.getvalue
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """Log as a service does; call it for the lines written so far."""
    with logging_into_memory("auto") as text:
        yield lambda: [json.loads(line) for line in text().splitlines()]


@pytest.fixture
def traced_log_lines() -> Iterator[LogLines]:
    """Log as a service with traces does; call it for the lines written so far."""
    with logging_into_memory("auto", has_traces=True) as text:
        yield lambda: [json.loads(line) for line in text().splitlines()]


@pytest.fixture
def console() -> Iterator[LogText]:
    """Log as on a terminal; call it for the text written so far."""
    with logging_into_memory("console") as text:
        yield text


@pytest.fixture
def certificate(tmp_path: Path, starts_servers: None) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    path = tmp_path / "server.pem"
    # By OpenSSL's command: with pytest-cov in the process, cryptography does not know its own classes again.
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    extension = "subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-addext", extension, "-out", path, "-keyout", tmp_path / "key.pem"],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + (tmp_path / "key.pem").read_bytes())
    return path
