"""Publishes to a log without gateways, as fast as many gateways would together: a few cores suffice to load one log fully."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack

import uvloop

from roomwire.history.contract import History
from roomwire.history.opening import open_history
from roomwire.log.config import LogConfig
from roomwire.log.contract import Log, Published
from roomwire.log.entries import Message
from roomwire.log.opening import open_log
from roomwire.log.streams import room_stream
from roomwire.metrics.gateway import Metrics
from roomwire_loadtest.bench.log import EntryCounter
from roomwire_loadtest.capacity.measuring.house import PING_INTERVAL_S, PING_TIMEOUT_S
from roomwire_loadtest.capacity.measuring.runs import Busy

_ROOMS = 100
_STREAMS = [room_stream("/", f"busy-{number}") for number in range(_ROOMS)]
_TICK_S = 0.004
TEXT_BYTES = 64


def publish(url: str, run: Busy, seconds: float) -> dict[str, float]:
    """Publish, keep and receive for a while; returns the units of work that this gave Redis.

    Args:
        url: The Redis.
        run: The rates.
        seconds: The duration.

    """
    return uvloop.run(_publish(url, run, seconds))


async def _publish(url: str, run: Busy, seconds: float) -> dict[str, float]:
    config = LogConfig.for_pings(PING_INTERVAL_S, PING_TIMEOUT_S)
    nodes = [
        open_log(url, node=f"busy-{number}", config=config, metrics=Metrics())
        for number in range(run.speakers + run.hearers)
    ]
    async with AsyncExitStack() as stack:
        ears = []
        for node in nodes:
            ears.append(EntryCounter())
            await node.start(ears[-1])
            stack.push_async_callback(node.close)
        history = open_history(url, metrics=Metrics())
        stack.push_async_callback(history.close)
        speakers, hearers = nodes[: run.speakers], nodes[run.speakers :]
        for hearer in hearers:
            for stream in _STREAMS:
                hearer.subscribe(stream)
            await hearer.mark()
        done = await _speak(speakers, history, run, seconds)
        for hearer in hearers:
            await hearer.mark()
        done["pushes"] = sum(ear.entries for ear in ears)
    return {name: float(count) for name, count in done.items()} | {
        "taken_kib": (done["publishes"] + done["keeps"]) * TEXT_BYTES / 1024,
        "pushed_kib": done["pushes"] * TEXT_BYTES / 1024,
    }


async def _speak(nodes: Sequence[Log], history: History, run: Busy, seconds: float) -> Counter[str]:
    """Publish and keep what is due at every tick; a keep is one call, and one node's publishes are one call together."""
    loop, text = asyncio.get_running_loop(), b"x" * TEXT_BYTES
    keeping: set[asyncio.Task[None]] = set()
    last: dict[Log, asyncio.Future[Published]] = {}
    done: Counter[str] = Counter(publishes=0, keeps=0, pushes=0)
    began = loop.time()
    while (passed_s := loop.time() - began) < seconds:
        due = int(run.publishes * passed_s) - done["publishes"]
        for number in range(due):
            node = nodes[number % len(nodes)]
            last[node] = node.publish(_STREAMS[(done["publishes"] + number) % _ROOMS], Message(text))
        kept = int(run.keeps * passed_s) - done["keeps"]
        for number in range(kept):
            task = asyncio.create_task(history.remember(f"busy-{(done['keeps'] + number) % _ROOMS}", text))
            keeping.add(task)
            task.add_done_callback(keeping.discard)
        done.update(
            publishes=due, keeps=kept, calls=min(due, len(nodes)) + kept, moments=int(due > 0) + int(kept > 0)
        )
        await asyncio.sleep(_TICK_S)
    await asyncio.gather(*last.values(), *keeping)
    return done
