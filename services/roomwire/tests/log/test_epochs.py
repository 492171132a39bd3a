"""How a gateway's first word to the primary begins epochs and ends them: the script, on Valkey and on Redis."""

import time

import pytest
import redis.asyncio

from roomwire.log.redis.scripts import Scripts

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)

KEY = "rw:{0}:log"
KEPT = 3


class Primary:
    """A primary that gateways attach to; `reborn` makes it another incarnation of itself."""

    def __init__(self, client):
        self._client = client
        self._script = Scripts().attach.text

    async def attach(self, epoch="", known=0):
        is_whole, epoch, last = await self._client.eval(self._script, 1, KEY, epoch, known, "abcd", KEPT)
        return is_whole == 1, epoch.decode(), last

    async def reborn(self, position=None):
        await self._client.hset(KEY, "run", "another")
        if position is not None:
            await self._client.hset(KEY, "seq", position)

    async def ends(self):
        fields = await self._client.hgetall(KEY)
        return {name[4:].decode(): end.decode() for name, end in fields.items() if name.startswith(b"end:")}

    async def begin_in(self, epoch):
        await self._client.hset(KEY, mapping={"epoch": epoch, "run": "another", "seq": 7})


@pytest.fixture
async def primary(own_server):
    async with redis.asyncio.from_url(own_server.url) as client:
        yield Primary(client)


async def test_an_epoch_is_the_time_at_which_it_began_and_something_random(primary):
    before = time.time() * 1000
    is_whole, epoch, _ = await primary.attach()

    assert is_whole
    assert before - 1 <= int(epoch[:11], 16) <= time.time() * 1000 + 1
    assert "abcd" == epoch[11:]
    assert (True, epoch, 0) == await primary.attach(epoch, 0)


async def test_another_incarnation_begins_another_epoch_and_remembers_where_the_last_one_ended(primary):
    _, first, _ = await primary.attach()
    await primary.reborn(40)
    is_whole, second, _ = await primary.attach(first, 40)

    assert (True, True) == (is_whole, first < second)
    assert {first: "40"} == await primary.ends()


async def test_epochs_do_not_go_back_though_the_clock_does(primary):
    await primary.begin_in("fffffffff00abcd")
    _, second, _ = await primary.attach()
    await primary.reborn()
    _, third, _ = await primary.attach("fffffffffaaxxxx", 0)

    assert "fffffffff01abcd" == second
    assert "fffffffffababcd" < third


async def test_who_knows_more_than_an_epochs_end_proves_a_loss_and_all_epochs_are_broken(primary):
    _, first, _ = await primary.attach()
    await primary.reborn(40)
    _, second, _ = await primary.attach()
    is_whole, third, _ = await primary.attach(first, 41)

    assert (False, True) == (is_whole, second < third)
    assert {first: "41 broken", second: "40 broken"} == await primary.ends()


async def test_an_epoch_that_the_log_does_not_know_proves_a_loss_as_well(primary):
    is_whole, epoch, _ = await primary.attach("00000000001abcd", 9)

    assert not is_whole
    assert "9 broken" == (await primary.ends())["00000000001abcd"]
    assert epoch not in await primary.ends()


async def test_a_loss_is_proven_again_only_by_who_knows_more_than_was_known_then(primary):
    _, first, _ = await primary.attach("00000000001abcd", 9)

    assert (False, first, 0) == await primary.attach("00000000001abcd", 9)
    is_whole, second, _ = await primary.attach("00000000001abcd", 10)
    assert (False, True) == (is_whole, first < second)
    assert "10 broken" == (await primary.ends())["00000000001abcd"]


async def test_the_ends_of_the_latest_epochs_are_kept(primary):
    epochs = []
    for _ in range(KEPT + 3):
        epochs.append((await primary.attach())[1])
        await primary.reborn()

    assert epochs[-KEPT - 1 : -1] == sorted(await primary.ends())
