"""What ends in one moment with a node."""

import asyncio
import contextvars

import pytest

from roomwire.testing.life import Life, life_of
from roomwire.testing.loop import VirtualLoop

WHO = contextvars.ContextVar("WHO", default="")


@pytest.fixture
def runner():
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


def test_what_a_life_begins_is_a_part_of_it(runner):
    found = []

    async def inner():
        found.append(life_of())

    async def outer(loop):
        found.append(life_of())
        await asyncio.create_task(inner())
        # Also in a context of its own, as tasks have that carry nothing of others.
        await loop.create_task(inner(), context=contextvars.Context())
        loop.call_soon(lambda: found.append(life_of()))
        loop.call_later(1, lambda: found.append(life_of()))

    async def job():
        life, loop = Life(), asyncio.get_running_loop()
        await life.start(outer(loop))
        await loop.advance(1)
        return life

    assert [runner.run(job())] * 5 == found
    assert life_of() is None


@pytest.mark.parametrize("begin", ["task", "timer", "callback"])
def test_nothing_of_a_life_runs_once_it_is_over(runner, begin):
    done = []

    async def work():
        await asyncio.sleep(0)
        done.append(begin)

    def start(loop):
        if begin == "task":
            loop.create_task(work())
        elif begin == "timer":
            loop.call_later(1, done.append, begin)
        else:
            loop.call_soon(done.append, begin)

    async def job(*, ends):
        life, loop = Life(), asyncio.get_running_loop()
        life.enter(start, loop)
        if ends:
            life.end()
        await loop.advance(2)
        assert ([] if ends else [begin]) == done
        await life.bury()
        await loop.advance(2)
        done_then = [*done]
        done.clear()
        return done_then

    assert [begin] == runner.run(job(ends=False))
    assert [] == runner.run(job(ends=True))


@pytest.mark.parametrize("is_woken", [False, True])
def test_a_burial_cancels_what_waits_in_its_own_context(runner, is_woken):
    said = []

    async def work(gate):
        token = WHO.set("the node")
        try:
            await gate.wait()
            said.append("gone on")
        finally:
            said.append(WHO.get())
            # Fails in another context.
            WHO.reset(token)

    async def job():
        life, loop, gate = Life(), asyncio.get_running_loop(), asyncio.Event()
        task = life.start(work(gate))
        await loop.when_idle()
        life.end()
        if is_woken:
            gate.set()
        await loop.when_idle()
        assert [] == said
        await life.bury()
        return task

    assert runner.run(job()).cancelled()
    assert ["the node"] == said


def test_others_go_on_when_a_life_is_over(runner):
    async def job():
        life, loop = Life(), asyncio.get_running_loop()
        answer = loop.create_future()
        life.start(asyncio.sleep(0))
        loop.call_soon(answer.set_result, "mine")
        life.end()
        found = await answer
        await life.bury()
        return found

    assert "mine" == runner.run(job())
