"""Coroutines that begin at once, and are in a real task all the same."""

import asyncio
import contextvars
import gc

import anyio
import pytest

from roomwire.engine.eager import Starter

PATIENCE_S = 30.0
colour = contextvars.ContextVar("colour", default="none")


async def from_callback(act):
    """Call a function as the event loop calls a protocol: in no task; returns what it returns."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(act()))
    async with asyncio.timeout(PATIENCE_S):
        return await done


def started_and_cancelled(starter, job):
    """Start a coroutine that suspends, and cancel its task before that has taken a step of its own."""
    task = starter.start(job)
    task.cancel()
    return task


@pytest.fixture
async def starter():
    found = Starter()
    yield found
    found.close()
    async with asyncio.timeout(PATIENCE_S):
        while found._running:
            await asyncio.sleep(0)


async def test_a_coroutine_that_does_not_suspend_has_finished_when_it_was_started(starter):
    ran = []

    async def work():
        ran.append(asyncio.current_task())

    assert await from_callback(lambda: starter.start(work())) is None
    assert isinstance(ran[0], asyncio.Task)


async def test_coroutines_begin_in_the_order_in_which_they_were_started(starter):
    begun = []

    async def work(number):
        begun.append(number)
        await asyncio.sleep(0)
        begun.append(number)

    for task in await from_callback(lambda: [starter.start(work(number)) for number in range(3)]):
        await task
    assert [0, 1, 2, 0, 1, 2] == begun


async def test_within_a_task_a_coroutine_begins_later_but_in_order(starter):
    begun = []

    async def work(number):
        begun.append(number)

    tasks = [starter.start(work(number)) for number in range(3)]
    assert [] == begun
    await asyncio.gather(*tasks)
    assert [0, 1, 2] == begun


async def test_what_suspends_goes_on_in_the_same_task_and_returns_its_value(starter):
    gate = asyncio.Event()

    async def work():
        before = asyncio.current_task()
        await gate.wait()
        return before is asyncio.current_task()

    task = await from_callback(lambda: starter.start(work()))
    gate.set()
    assert await task is True


async def test_an_exception_after_a_suspension_is_the_tasks(starter):
    async def work():
        await asyncio.sleep(0)
        raise LookupError("lost")

    task = await from_callback(lambda: starter.start(work()))
    with pytest.raises(LookupError, match="lost"):
        await task


async def test_an_exception_in_the_first_step_goes_to_the_loops_handler(starter):
    seen = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))

    async def work():
        raise LookupError("lost")

    assert await from_callback(lambda: starter.start(work())) is None
    assert ["lost"] == [str(error) for error in seen]


@pytest.mark.parametrize("steps_before", [0, 1])
async def test_timeouts_of_asyncio_and_anyio_end_what_takes_too_long(starter, steps_before):
    async def slow(deadline):
        for _ in range(steps_before):
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with deadline:
                await asyncio.Event().wait()
        return "over"

    class OfAnyio:
        async def __aenter__(self):
            self.scope = anyio.fail_after(0.01)
            self.scope.__enter__()

        async def __aexit__(self, *error):
            return self.scope.__exit__(*error)

    for deadline in (asyncio.timeout(0.01), OfAnyio()):
        task = await from_callback(lambda deadline=deadline: starter.start(slow(deadline)))
        assert "over" == await task


async def test_a_task_group_may_be_opened_in_the_first_step(starter):
    async def work():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
        return [task.result() for task in tasks]

    task = await from_callback(lambda: starter.start(work()))
    assert [0, 1, 2] == await task


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_context_variable_stays_with_the_coroutine_that_set_it(starter, suspends):
    seen = []

    async def work(name):
        seen.append(colour.get())
        colour.set(name)
        if suspends:
            await asyncio.sleep(0)
        seen.append(colour.get())

    for name in ("red", "blue"):
        task = await from_callback(lambda name=name: starter.start(work(name)))
        if task is not None:
            await task
    assert ["none", "red", "none", "blue"] == seen


async def test_who_cancels_itself_is_cancelled_at_its_next_await_and_nobody_else(starter):
    async def cancel_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)
        return "not reached"

    async def work():
        await asyncio.sleep(0)
        return "done"

    task = await from_callback(lambda: starter.start(cancel_itself()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "done" == await (await from_callback(lambda: starter.start(work())))


async def test_a_cancellation_that_nothing_awaited_does_not_reach_the_next(starter):
    async def cancel_itself():
        asyncio.current_task().cancel()

    async def work():
        await asyncio.sleep(0)
        return "done"

    def both():
        starter.start(cancel_itself())
        return starter.start(work())

    assert "done" == await (await from_callback(both))


async def test_a_cancellation_before_the_task_has_begun_reaches_the_coroutine(starter):
    cleaned = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(asyncio.current_task())

    task = await from_callback(lambda: started_and_cancelled(starter, work()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [task] == cleaned


async def test_a_cancellation_before_the_task_has_begun_reaches_what_it_waits_for(starter):
    children = []

    async def work():
        children.append(asyncio.create_task(asyncio.Event().wait()))
        await asyncio.gather(*children)

    task = await from_callback(lambda: started_and_cancelled(starter, work()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children[0].cancelled()


async def test_a_spare_that_somebody_has_ended_is_let_go_in_silence(starter):
    async def work():
        pass

    await from_callback(lambda: starter.start(work()))
    (spare,) = asyncio.all_tasks() - {asyncio.current_task()}
    spare.cancel()
    await asyncio.wait((spare,))
    starter.close()
    gc.collect()
    assert not starter._running


async def test_a_cancellation_that_was_taken_back_does_not_reach_the_next(starter):
    async def change_its_mind():
        asyncio.current_task().cancel()
        asyncio.current_task().uncancel()

    async def work():
        await asyncio.sleep(0)
        return "done"

    def both():
        starter.start(change_its_mind())
        return starter.start(work())

    assert "done" == await (await from_callback(both))


async def test_what_the_first_caller_carries_in_its_context_is_nobody_elses(starter):
    seen = []

    async def work():
        seen.append(colour.get())

    context = contextvars.copy_context()
    context.run(colour.set, "the first request's")
    asyncio.get_running_loop().call_soon(lambda: starter.start(work()), context=context)
    await asyncio.sleep(0)
    await from_callback(lambda: starter.start(work()))
    assert ["none", "none"] == seen


async def test_what_is_to_be_done_at_the_end_of_the_task_is_done_at_the_end_of_its_coroutine(starter):
    ended = []

    async def work(name):
        asyncio.current_task().add_done_callback(lambda _: ended.append(name))

    for name in ("first", "second"):
        await from_callback(lambda name=name: starter.start(work(name)))
    async with asyncio.timeout(PATIENCE_S):
        while len(ended) < 2:
            await asyncio.sleep(0)
    assert ["first", "second"] == ended


async def test_a_task_can_be_cancelled_from_outside_and_its_coroutine_can_clean_up(starter):
    cleaned = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    task = await from_callback(lambda: starter.start(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [True] == cleaned


async def test_a_running_task_is_not_lost_to_the_garbage_collector(starter):
    gate = asyncio.get_running_loop().create_future()
    ran = []

    async def work():
        await asyncio.shield(gate)
        ran.append(True)

    await from_callback(lambda: starter.start(work()) and None)
    gc.collect()
    gate.set_result(None)
    async with asyncio.timeout(PATIENCE_S):
        while not ran:
            await asyncio.sleep(0)


async def test_one_started_by_another_in_its_first_step_runs_after_it(starter):
    order = []

    async def inner():
        order.append("inner")

    async def outer():
        starter.start(inner())
        order.append("outer")

    await from_callback(lambda: starter.start(outer()))
    await asyncio.sleep(0)
    assert ["outer", "inner"] == order


async def test_within_a_task_a_coroutine_can_begin_at_once_in_a_task_of_its_own(starter):
    seen = []

    async def work(number):
        seen.append((number, asyncio.current_task()))
        await asyncio.sleep(0)
        seen.append((number, asyncio.current_task()))

    outer = asyncio.current_task()
    tasks = [starter.start_now(work(number)) for number in range(2)]
    assert outer is asyncio.current_task()
    assert [0, 1] == [number for number, _ in seen]
    await asyncio.gather(*tasks)
    assert tasks * 2 == [task for _, task in seen]
    assert 3 == len({outer, *tasks})


async def test_one_can_begin_within_the_first_step_of_another_as_deep_as_it_likes(starter):
    order = []

    async def work(depth):
        own = asyncio.current_task()
        order.append(f"{depth} begins")
        if depth:
            starter.start_now(work(depth - 1))
        assert own is asyncio.current_task()
        order.append(f"{depth} goes on")

    for _ in range(2):
        assert await from_callback(lambda: starter.start(work(2))) is None
    assert ["2 begins", "1 begins", "0 begins", "0 goes on", "1 goes on", "2 goes on"] * 2 == order


async def test_what_fails_when_it_begins_within_a_task_is_not_that_tasks(starter):
    seen = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))

    async def work():
        raise LookupError("lost")

    outer = asyncio.current_task()
    assert starter.start_now(work()) is None
    assert outer is asyncio.current_task()
    assert ["lost"] == [str(error) for error in seen]


async def test_a_timeout_around_what_begins_another_is_not_the_others(starter):
    gate = asyncio.Event()

    async def work():
        await gate.wait()
        return "done"

    task = None

    async def begin_it_and_wait():
        nonlocal task
        async with asyncio.timeout(0.01):
            task = starter.start_now(work())
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await begin_it_and_wait()
    gate.set()
    assert "done" == await task
