"""Where a Redis is."""

from roomwire.redis.address import OnePrimary, address_of
from roomwire.redis.url import Host, parse_redis_url


async def test_one_primary_is_always_found_where_it_is():
    address = address_of(parse_redis_url("redis://ann:secret@host:1/2"))

    assert address is await OnePrimary(address).find()
    assert ("host", 1, "ann", "secret", 2) == (
        address.host, address.port, address.user, address.password, address.database
    )  # fmt: skip


def test_one_logs_in_at_another_server_in_the_same_way():
    there = address_of(parse_redis_url("rediss://ann:secret@host:1/2")).at(Host("other", 3))

    assert ("other", 3, "ann", "secret", 2) == (
        there.host, there.port, there.user, there.password, there.database
    )  # fmt: skip
    assert there.tls is not None


def test_an_address_never_shows_its_password():
    address = address_of(parse_redis_url("redis://ann:secret@host:1"))

    assert "secret" not in f"{address} {address!r}"
