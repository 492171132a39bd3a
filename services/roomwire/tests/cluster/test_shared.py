"""Answers that several askers share: large ones, and no others."""

import asyncio

import pytest

from roomwire import Gateway
from roomwire.cluster import shared
from roomwire.cluster.shared import KEEP_S, Shared


class Maker:
    """Makes answers, which tell how many were made; each waits until it may be given."""

    def __init__(self) -> None:
        self.made = 0
        self.may_end = asyncio.Event()

    async def make(self) -> int:
        self.made += 1
        number = self.made
        await self.may_end.wait()
        return number


async def asked(answers, makers, *, times):
    asking = [
        asyncio.create_task(answers.get("question", maker.make)) for maker in makers for _ in range(times)
    ]
    await asyncio.sleep(0)
    for maker in makers:
        maker.may_end.set()
    return await asyncio.gather(*asking)


async def test_a_large_answer_is_made_once_for_all_that_ask_at_the_same_time():
    maker = Maker()

    assert [1, 1, 1] == await asked(Shared(lambda _: True), [maker], times=3)


async def test_a_small_answer_is_made_for_each():
    maker = Maker()

    assert [1, 2, 3] == sorted(await asked(Shared(lambda _: False), [maker], times=3))


async def test_a_large_answer_is_given_again_for_a_moment(nodes):
    async with nodes(Gateway) as cluster:
        answers, maker = Shared(lambda _: True), Maker()
        maker.may_end.set()
        assert 1 == await answers.get("question", maker.make)
        await cluster.advance(KEEP_S - 0.1)
        assert 1 == await answers.get("question", maker.make)
        assert 2 == await answers.get("another question", maker.make)

        await cluster.advance(0.2)
        assert 3 == await answers.get("question", maker.make)


async def test_what_fails_fails_for_its_own_asker_alone():
    answers, maker = Shared(lambda _: True), Maker()

    async def fail() -> int:
        await maker.may_end.wait()
        raise LookupError

    failing = asyncio.create_task(answers.get("question", fail))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(answers.get("question", maker.make))
    await asyncio.sleep(0)
    maker.may_end.set()

    with pytest.raises(LookupError):
        await failing
    assert 1 == await waiting


async def test_only_so_many_answers_are_kept(monkeypatch):
    monkeypatch.setattr(shared, "_MOST", 1)
    answers, maker = Shared(lambda _: True), Maker()
    maker.may_end.set()

    assert [1, 2, 3, 1] == [await answers.get(question, maker.make) for question in "abba"]
