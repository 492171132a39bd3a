"""The event loop of tests: its time, and how it knows that nothing more happens."""

import asyncio
import threading
import time

import pytest
from waiting import time_passes, time_passes_blocking

from roomwire.testing.errors import Deadlock
from roomwire.testing.loop import START_S, VirtualLoop

A_WEEK_S = 604_800.0


def run(job):
    """Run a coroutine function, which gets the loop, on a loop whose time is virtual."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(job(loop))


def test_a_sleep_takes_no_time_and_lets_time_pass():
    async def job(loop):
        await time_passes(A_WEEK_S)
        return loop.time(), loop.wall_time()

    began_at = time.time()
    now, wall = run(job)

    assert START_S + A_WEEK_S == pytest.approx(now)
    assert A_WEEK_S <= wall - began_at
    assert time.time() - began_at < A_WEEK_S


def test_timers_ring_in_their_order_and_at_their_times():
    rung = []

    async def job(loop):
        for delay_s in (3.0, 1.0, 2.0):
            loop.call_later(delay_s, lambda: rung.append(loop.time() - START_S))
        await loop.advance(2.5)
        assert [1.0, 2.0] == pytest.approx(rung)
        assert START_S + 2.5 == pytest.approx(loop.time())
        await loop.advance(1.0)

    run(job)

    assert [1.0, 2.0, 3.0] == pytest.approx(rung)


def test_what_a_timer_begins_has_its_end_before_the_next_rings():
    said = []

    async def work(name):
        for step in range(3):
            await asyncio.sleep(0)
            said.append((name, step))

    async def job(loop):
        tasks = []
        for number in (1, 2):
            loop.call_later(number, lambda number=number: tasks.append(loop.create_task(work(number))))
        await loop.advance(2)

    run(job)

    assert [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] == said


def test_idle_says_when_something_is_due():
    async def job(loop):
        nothing = await loop.when_idle()
        loop.call_later(7.0, lambda: None)
        return nothing.due_s, (await loop.when_idle()).due_s

    nothing, something = run(job)

    assert nothing is None
    assert 7.0 == pytest.approx(something)


def test_idle_waits_for_what_a_thread_does():
    done = []

    async def job(loop):
        asyncio.ensure_future(asyncio.to_thread(time_passes_blocking, 0.05)).add_done_callback(done.append)
        await loop.when_idle()
        return len(done)

    assert 1 == run(job)


def test_what_a_thread_says_before_it_ends_is_heard_whenever_it_ends(monkeypatch):
    enumerate_threads, said = threading.enumerate, threading.Event()

    async def job(loop):
        told = loop.create_future()

        def work():
            said.wait()
            loop.call_soon_threadsafe(told.set_result, "told")

        thread = threading.Thread(target=work)
        thread.start()

        def enumerate_once_it_has_ended():
            said.set()
            thread.join()
            return enumerate_threads()

        # The loop has found nothing in its files, and is about to look whether there are threads.
        monkeypatch.setattr(threading, "enumerate", enumerate_once_it_has_ended)
        return await told

    assert "told" == run(job)


def test_idle_waits_for_a_thread_of_others():
    told = []

    async def job(loop):
        gate = threading.Event()

        def work():
            gate.wait()
            loop.call_soon_threadsafe(told.append, "told")

        thread = threading.Thread(target=work)
        thread.start()
        loop.call_soon(gate.set)
        await loop.when_idle()
        thread.join()
        return [*told]

    assert ["told"] == run(job)


def test_time_that_passes_outside_is_waited_for_with_a_timeout_that_does_not_jump():
    async def job(loop):
        async with asyncio.timeout(A_WEEK_S):
            return await asyncio.to_thread(lambda: "done")

    assert "done" == run(job)


def test_a_test_that_waits_for_nothing_is_told(monkeypatch):
    # Workers of xdist have threads of their own, from which something could come.
    monkeypatch.setattr(threading, "active_count", lambda: 1)

    async def job(_):
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="cannot happen"):
        run(job)
