import asyncio
import contextvars

import pytest

from roomwire import eager


async def from_callback(coroutine):
    """Start a coroutine from a callback of the loop, as a protocol would; returns what `start` returned."""
    loop = asyncio.get_running_loop()
    result = loop.create_future()

    def callback():
        try:
            result.set_result(eager.start(coroutine))
        except Exception as error:
            result.set_exception(error)

    loop.call_soon(callback)
    return await result


async def test_a_coroutine_that_does_not_suspend_has_run_and_has_no_task():
    ran = []

    async def work():
        ran.append("once")

    assert None is await from_callback(work())
    assert ["once"] == ran


async def test_a_coroutine_that_suspends_goes_on_in_a_task_and_returns_its_value():
    gate = asyncio.Event()

    async def work():
        await gate.wait()
        await asyncio.sleep(0)
        return "done"

    task = await from_callback(work())
    assert not task.done()
    gate.set()
    assert "done" == await task


async def test_an_exception_before_the_first_suspension_is_raised_at_once():
    async def work():
        raise LookupError("early")

    with pytest.raises(LookupError, match="early"):
        await from_callback(work())


async def test_an_exception_after_it_is_the_tasks():
    async def work():
        await asyncio.sleep(0)
        raise LookupError("late")

    with pytest.raises(LookupError, match="late"):
        await (await from_callback(work()))


async def test_cancelling_the_task_cancels_the_coroutine_where_it_stands():
    cleaned = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    task = await from_callback(work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [True] == cleaned


async def test_a_timeout_that_was_entered_before_the_first_suspension_works():
    async def work():
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await (await from_callback(work()))


async def test_a_timeout_that_has_passed_already_works():
    async def work():
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await (await from_callback(work()))


async def test_a_task_group_entered_before_the_first_suspension_works():
    async def fail():
        await asyncio.sleep(0)
        raise LookupError("child")

    async def work():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.Event().wait())

    with pytest.raises(ExceptionGroup):
        await (await from_callback(work()))


async def test_awaiting_a_future_that_is_done_meanwhile_loses_nothing():
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    async def work():
        return await future

    task = await from_callback(work())
    future.set_result("value")
    assert "value" == await task


async def test_there_is_no_current_task_afterwards():
    async def work():
        assert asyncio.current_task() is not None

    loop = asyncio.get_running_loop()
    seen = loop.create_future()
    coroutine = work()

    def callback():
        eager.start(coroutine)
        seen.set_result(asyncio.current_task())

    loop.call_soon(callback)
    assert None is await seen


async def test_context_variables_stay_in_the_coroutine_as_in_a_task():
    variable = contextvars.ContextVar("variable", default="outside")

    async def work():
        variable.set("inside")
        await asyncio.sleep(0)
        return variable.get()

    task = await from_callback(work())
    assert "inside" == await task
    assert "outside" == variable.get()
