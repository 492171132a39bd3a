"""The watch of a process's memory: whom it refuses, whom it closes, and when it ends the process."""

import asyncio
import json
import os
from functools import partial

import pytest
from prometheus_client import CollectorRegistry
from service_process import running
from waiting import until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from roomwire.health.dependencies import Dependencies
from roomwire.health.memory import MemoryUse
from roomwire.limits.accounts import Accounts
from roomwire.metrics.memory import MemoryMetrics
from roomwire.serving.memory import MemoryWatch

PAGE = os.sysconf("SC_PAGE_SIZE")
LIMIT, BASE = 1_000, 100
"""In pages: the marks are 820 and 910."""
MIB = 2**20
LEAK_BYTES = 4 * MIB
LEAKY = """
from roomwire import App, Gateway, subscribe

class Leaky(Gateway):
    leaked = []

    @subscribe("leak")
    async def leak(self) -> int:
        self.leaked.append(b"x" * 2**22)
        return len(self.leaked)

app = App(Leaky("/"))
"""


class Watched:
    """A watch over a process whose use is what a file says."""

    def __init__(self, root):
        self.accounts = Accounts()
        self.registry = CollectorRegistry()
        self.dependencies = Dependencies(self.registry)
        self.given_up = []
        self.released = 0
        self._statm = root / "proc/self/statm"
        self._statm.parent.mkdir(parents=True)
        self.uses(BASE)
        self.watch = MemoryWatch(
            self.accounts,
            limit_bytes=LIMIT * PAGE,
            guests_share=0.5,
            metrics=MemoryMetrics(self.registry),
            dependency=self.dependencies.add("memory"),
            give_up=lambda: self.given_up.append(True),
            use=MemoryUse(root),
            release=self.release,
        )

    def release(self):
        self.released += 1

    def uses(self, pages):
        self._statm.write_text(f"9999 {pages} 1")

    def client(self, pages):
        """Return the account of a client that holds so much, until it is cut."""
        made = []

        def cut():
            made[0].close()

        account = self.accounts.open(f"client of {pages}", cut)
        made.append(account)
        account.hold(pages * PAGE)
        return account


@pytest.fixture
async def watched(tmp_path):
    watched = Watched(tmp_path)
    watching = asyncio.create_task(watched.watch.measure())
    await until(lambda: watched.registry.get_sample_value("roomwire_memory_used_bytes") == BASE * PAGE)
    yield watched
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert (False, False) == (watched.accounts.is_refusing, watched.accounts.is_exhausted)


async def test_between_the_marks_sessions_are_refused_and_the_dependency_says_so(watched):
    watched.uses(850)
    await until(lambda: watched.accounts.is_refusing)
    assert not watched.accounts.is_exhausted
    assert {"memory": "full"} == watched.dependencies.causes()
    watched.uses(BASE)
    await until(lambda: not watched.accounts.is_refusing)


async def test_the_largest_holder_is_closed_and_named(watched, log_lines):
    small, large = watched.client(20), watched.client(380)
    watched.uses(950)
    await until(lambda: not large.held_bytes)
    assert small.held_bytes
    (line,) = (line for line in log_lines() if line["event"] == "connection closed: held too much")
    assert ("client of 380", "guests") == (line["sid"], line["client_class"])


async def test_much_growth_is_looked_at_before_the_next_measurement_is_due(watched):
    watched.uses(950)
    large = watched.client(700)
    # Two turns of the loop, no time.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not large.held_bytes


async def test_what_clients_have_dropped_is_returned_to_the_system_far_from_the_limit_as_well(watched):
    watched.uses(500)
    small, large = watched.client(20), watched.client(300)
    used = "roomwire_memory_used_bytes"
    await until(lambda: watched.registry.get_sample_value(used) == 500 * PAGE)
    small.close()
    assert 0 == watched.released
    large.close()
    await until(lambda: watched.released)
    assert 1 == watched.released
    assert not watched.accounts.is_refusing


async def test_a_process_that_uses_its_limit_from_the_beginning_is_not_guarded(tmp_path, log_lines):
    watched = Watched(tmp_path)
    watched.uses(LIMIT)
    await watched.watch.measure()
    assert not watched.accounts.is_refusing
    assert ["memory not guarded"] == [line["event"] for line in log_lines()]


@pytest.mark.usefixtures("starts_servers")
async def test_a_process_whose_handler_leaks_refuses_says_so_and_ends_in_order_before_it_is_killed(tmp_path):
    (tmp_path / "leaky.py").write_text(LEAKY)
    limit = 256 * MIB
    settings = {
        "redis_url": "memory://",
        "auth_mode": "off",
        "log_format": "json",
        "memory_limit_bytes": limit,
        "max_events_per_s": 0,
    }
    async with running("leaky:app", tmp_path / "log", served=tmp_path, **settings) as process:
        url = f"ws://{process.address}/socket.io/?EIO=4&transport=websocket"
        used = partial(process.metric, "roomwire_memory_used_bytes")
        await until(used)
        base, leaked = await used(), 0

        async def is_measured():
            return await used() >= base + (leaked - 2) * LEAK_BYTES

        async with connect(url) as websocket:
            await websocket.send("40")
            while not process.lines("memory used that no client holds"):
                await websocket.send('421["leak"]')
                while not (answer := await websocket.recv()).startswith("431"):
                    pass
                (leaked,) = json.loads(answer[3:])
                # What no client holds is seen at the next measurement only.
                await until(is_measured)
                assert process.memory_bytes() < limit
            with pytest.raises((InvalidStatus, WebSocketException)) as refused:
                await connect(url)
            assert 503 == refused.value.response.status_code
            assert "full" == (await process.readyz())["causes"]["memory"]
            assert 0 == await process.ended()
        assert process.lines("memory exhausted: the process ends")
