"""The tiers of the tests: `--quick` runs those that start no server and no process, and no test is marked by hand.

A test is quick unless its file imports a module that starts servers or processes (`starters`), or one of its fixtures asks
for `starts_servers`. A quick test that listens or starts a process fails, in either tier, so that quick tests stay
quick. uvloop binds without audit events, so a quick test that listens on its loop is not noticed; the present tests that do so
ask for `starts_servers` or import a starter. When tests run in parallel, those that share servers run in one worker; their
fixtures tell which these are. The longest tests run first, as far as their duration is known (`Tiers._order`), and the quick
tests last: they fill the remaining time of each worker.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starters import Sources

WATCHED = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "socket.bind",
        "subprocess.Popen",
    }
)
"""Python's audit events that a quick test must not cause. A socket that listens on a port is bound to it first."""
FOR_EACH_WORKER = frozenset({"_redis_server", "_redis_7_server", "helm"})
"""Shared servers that are cheap enough for each worker to have its own."""
STARTS_SERVERS = "starts_servers"
TOOLS = ("deploy/e2e/src", "deploy/local/src", "loadtest/src")
"""The folders of packages that start servers for tests and measurements."""
WORKERS_PER_CORE = 2
"""Most tests wait for servers, processes and timers. With three workers per core, systems of several processes miss their deadlines on two cores."""
MOST_WORKERS = 12


@pytest.fixture(scope="session")
def starts_servers() -> None:
    """Marks a test, or a fixture that asks for it, as one that starts servers or processes."""


class Watch:
    """Fails a quick test that starts a server or a process.

    Attributes:
        quick: The running test, if it is a quick one.
        started: The watched audit events that it caused.

    """

    def __init__(self) -> None:
        self.quick: str | None = None
        self.started: list[str] = []

    def __call__(self, event: str, arguments: Sequence[Any]) -> None:
        """Receive one of Python's audit events."""
        if self.quick is not None and event in WATCHED:
            self.started.append(event)
            pytest.fail(self._sentence)

    def phase(self) -> Iterator[Any]:
        """Watch a phase of a test; at its end, fail if the test swallowed the failure."""
        self.started.clear()
        result = yield
        if self.started:
            pytest.fail(self._sentence, pytrace=False)
        return result

    @property
    def _sentence(self) -> str:
        return (
            f"{self.quick} is taken for a quick test, but starts a server or a process ({self.started[0]}): let it, or the "
            "fixture that does so, ask for the fixture `starts_servers`"
        )


class Tiers:
    """Selects the tests of the chosen tier, and watches the quick ones."""

    def __init__(self, config: pytest.Config, watch: Watch) -> None:
        folders = [config.rootpath / folder for folder in (*config.getini("pythonpath"), *TOOLS)]
        self._is_quick_asked_for = config.getoption("quick")
        self._sources = Sources(folders)
        self._starting: dict[Path, bool] = {}
        self._watch = watch

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """In the quick tier, do not even import files whose tests start servers or processes."""
        if self._is_quick_asked_for and collection_path.match("test_*.py"):
            return self._test_starts(collection_path) or None
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out other tests in the quick tier; note which tests share servers, and which run first."""
        if self._is_quick_asked_for:
            chosen = {True: [], False: []}
            for item in items:
                chosen[self._is_quick(item)].append(item)
            config.hook.pytest_deselected(items=chosen[False])
            items[:] = chosen[True]
        for item in items:
            if (server := self._shared_server(item)) is not None:
                item.add_marker(pytest.mark.xdist_group(server))
        if hasattr(config, "workerinput"):
            items.sort(key=self._order)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watch a quick test, its fixtures included."""
        self._watch.quick = item.nodeid if self._is_quick(item) else None
        try:
            return (yield)
        finally:
            self._watch.quick = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Watch the set-up of a test's fixtures."""
        return (yield from self._watch.phase())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Watch the test itself."""
        return (yield from self._watch.phase())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Watch the teardown of a test's fixtures."""
        return (yield from self._watch.phase())

    def _order(self, item: pytest.Item) -> tuple[float, bool, bool]:
        """Order tests: first those with a long time limit, then those that start processes, then those that start servers."""
        timeout = item.get_closest_marker("timeout")
        allowed_s = timeout.args[0] if timeout and timeout.args else 0
        return -allowed_s, not self._test_starts(item.path), self._is_quick(item)

    def _is_quick(self, item: pytest.Item) -> bool:
        fixtures: Sequence[str] = getattr(item, "fixturenames", ())
        return STARTS_SERVERS not in fixtures and not self._test_starts(item.path)

    def _test_starts(self, path: Path) -> bool:
        if path not in self._starting:
            self._starting[path] = self._sources.test_starts(path)
        return self._starting[path]

    def _shared_server(self, item: pytest.Item) -> str | None:
        """Return the server that a test shares with others: they run in one worker, so that the server is started once."""
        info = getattr(item, "_fixtureinfo", None)
        known = {} if info is None else {name: found[-1] for name, found in info.name2fixturedefs.items()}
        shared = [name for name, fixture in known.items() if fixture.scope in {"session", "module"}]
        servers = [name for name in shared if self._is_server(name, known, item)]
        if not servers:
            return None
        # Servers that several files share come first: a test with such a server in another worker would start it again.
        of_session = sorted(name for name in servers if known[name].scope == "session")
        return of_session[0] if of_session else item.path.relative_to(item.config.rootpath).as_posix()

    def _is_server(self, name: str, known: Mapping[str, Any], item: pytest.Item) -> bool:
        if name in FOR_EACH_WORKER or name == STARTS_SERVERS:
            return False
        is_of_this_file = known[name].baseid.endswith(item.path.name)
        asked = [each for each in known[name].argnames if each in known and each != name]
        return (
            (is_of_this_file and self._test_starts(item.path))
            or STARTS_SERVERS in asked
            or any(self._is_server(each, known, item) for each in asked)
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses the tier."""
    parser.addoption("--quick", action="store_true", help="only tests that start no server and no process")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that selects and watches the tiers."""
    watch = Watch()
    sys.addaudithook(watch)
    config.pluginmanager.register(Tiers(config, watch), "chosen tiers")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of workers for `-n auto`: quick tests compute, one on each core; most of the others wait."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores if config.getoption("quick") else WORKERS_PER_CORE * cores, MOST_WORKERS)
