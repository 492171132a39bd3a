"""Where nodes are, as far as the registry says."""

import asyncio

import pytest

from roomwire.errors import Unavailable
from roomwire.relay import owners
from roomwire.relay.owners import Owner, Owners, advertised


class Registry:
    """Stands for the log: says who lives, or that it is away."""

    def __init__(self, **nodes):
        self.live = nodes
        self.asked = 0
        self.is_away = False

    async def nodes(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("away")
        return dict(self.live)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Let the test say what time it is."""
    now = [100.0]
    monkeypatch.setattr(owners.time, "monotonic", lambda: now[0])
    return now


async def test_a_node_is_where_the_registry_says():
    found = Owners(Registry(n2=("n2.abc", "192.0.2.1:7000"), n6=("n6.abc", "[2001:db8::1]:7000")))

    assert Owner("n2.abc", "192.0.2.1", 7000) == await found.find("n2")
    assert Owner("n6.abc", "2001:db8::1", 7000) == await found.find("n6")


@pytest.mark.parametrize("address", ["", "host", ":7000", "host:port", "host:"])
async def test_a_node_without_an_address_cannot_be_reached(address):
    assert None is await Owners(Registry(n2=("n2.abc", address))).find("n2")


@pytest.mark.parametrize(
    ("host", "address"), [("192.0.2.1", "192.0.2.1:80"), ("::1", "[::1]:80"), ("a.b", "a.b:80")]
)
async def test_what_is_advertised_is_found(host, address):
    assert address == advertised(host, 80)
    assert Owner("n2.abc", host, 80) == await Owners(Registry(n2=("n2.abc", address))).find("n2")


async def test_the_registry_is_asked_seldom_whatever_clients_ask(clock):
    registry = Registry(n2=("n2.abc", "host:1"))
    found = Owners(registry)
    await asyncio.gather(*(found.find(name) for name in ("n2", "evil.example", "127.0.0.1:6379") * 5))
    assert 1 == registry.asked

    clock[0] += owners.AGAIN_S / 2
    assert None is await found.find("nobody")
    assert 1 == registry.asked

    clock[0] += owners.AGAIN_S
    assert await found.find("n2")
    assert 1 == registry.asked
    assert None is await found.find("nobody")
    assert 2 == registry.asked

    clock[0] += owners.FRESH_S + 1
    assert await found.find("n2")
    assert 3 == registry.asked


async def test_a_node_that_was_not_there_has_perhaps_begun_again(clock):
    registry = Registry(n2=("n2.abc", "host:1"))
    found = Owners(registry)
    first = await found.find("n2")
    clock[0] += owners.AGAIN_S * 2
    assert None is await found.find("n2", other_than=first.node)

    registry.live["n2"] = ("n2.xyz", "host:2")
    clock[0] += owners.AGAIN_S * 2
    assert Owner("n2.xyz", "host", 2) == await found.find("n2", other_than=first.node)


async def test_while_the_registry_is_away_what_it_said_last_counts(clock):
    registry = Registry(n2=("n2.abc", "host:1"))
    found = Owners(registry)
    await found.find("n2")
    registry.is_away = True
    clock[0] += owners.FRESH_S * 2

    assert Owner("n2.abc", "host", 1) == await found.find("n2")
    assert 2 == registry.asked
    await found.close()
