import asyncio

import anyio
import pytest

from roomwire import eager


async def finish(task):
    """Return what a started coroutine returned, where there is a task of it left."""
    return None if task is None else await task


async def test_coroutines_begin_in_the_order_in_which_they_were_started():
    begun = []

    async def work(number):
        begun.append(number)
        await asyncio.sleep(0)
        begun.append(number)

    tasks = [eager.start(work(number)) for number in range(3)]
    for task in tasks:
        await finish(task)

    assert [0, 1, 2] == begun[:3]
    assert [0, 1, 2] == sorted(begun[3:])


async def test_it_can_be_started_from_a_callback_of_the_loop():
    ran = asyncio.Event()

    async def work():
        ran.set()

    asyncio.get_running_loop().call_soon(lambda: eager.start(work()))
    async with asyncio.timeout(5):
        await ran.wait()


async def test_a_coroutine_that_suspends_goes_on_and_returns_its_value():
    gate = asyncio.Event()

    async def work():
        await gate.wait()
        return "done"

    task = eager.start(work())
    gate.set()
    assert "done" == await finish(task)


async def test_the_current_task_is_the_same_before_and_after_an_await():
    async def work():
        before = asyncio.current_task()
        await asyncio.sleep(0)
        return before is asyncio.current_task()

    assert await finish(eager.start(work()))


async def test_timeouts_of_asyncio_and_anyio_work():
    async def slow(deadline):
        with pytest.raises(TimeoutError):
            async with deadline:
                await asyncio.Event().wait()

    class OfAnyio:
        async def __aenter__(self):
            self.scope = anyio.fail_after(0.01)
            self.scope.__enter__()

        async def __aexit__(self, *error):
            return self.scope.__exit__(*error)

    await finish(eager.start(slow(asyncio.timeout(0.01))))
    await finish(eager.start(slow(OfAnyio())))
