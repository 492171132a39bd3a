"""Of all gateways one holds the lease, and only it stores how far the stream was read."""

import pytest
import redis.asyncio
from emitters_of_node import LEASE, STATE

from roomwire.app.nodejs.errors import LeaseLost
from roomwire.app.nodejs.lease import LEASE_S, POSITION_TTL_S, Lease, Place


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def admin(redis_url):
    async with redis.asyncio.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def leases(redis_url, clock):
    clients = [redis.asyncio.from_url(redis_url) for _ in range(2)]
    yield [
        Lease(client, node=name, prefix="rw", stream="socket.io", clock=clock)
        for client, name in zip(clients, ("n1.x", "n2.x"), strict=True)
    ]
    for client in clients:
        await client.aclose()


async def test_one_holds_it_until_it_gives_it_back(leases, admin):
    one, two = leases

    assert Place() == await one.hold()
    assert await two.hold() is None
    assert (one.is_held, two.is_held) == (True, False)
    await two.release()
    assert await two.hold() is None
    assert 0 < await admin.pttl(LEASE) <= LEASE_S * 1_000
    await one.release()
    assert not one.is_held
    assert Place() == await two.hold()


async def test_the_next_holder_learns_how_far_the_last_one_came(leases, admin):
    one, two = leases
    await one.hold()
    await one.advance(Place("5-1", 7))
    await one.release()

    assert Place("5-1", 7) == await two.hold()
    assert 0 < await admin.pttl(STATE) <= POSITION_TTL_S * 1_000


async def test_a_holder_that_was_replaced_stores_nothing(leases, admin):
    one, two = leases
    await one.hold()
    await one.advance(Place("5-1", 7))
    # What Redis does in time.
    await admin.delete(LEASE)
    await two.hold()
    await two.advance(Place("6-1", 8))

    with pytest.raises(LeaseLost):
        await one.advance(Place("5-2", 8))
    assert not one.is_held
    assert Place("6-1", 8) == await two.hold()


async def test_a_holder_that_was_paused_knows_that_it_may_have_been_replaced(leases, clock):
    one, _ = leases
    await one.hold()
    clock.now += LEASE_S / 2
    one.check()
    clock.now += LEASE_S / 2

    with pytest.raises(LeaseLost, match="another gateway may be listening"):
        one.check()
    # It has not been, and goes on.
    assert await one.hold() is not None
    one.check()
