"""Where Redis is, from a URL."""

import ssl

import pytest

from roomwire.backplane.redis_address import OnePrimary, RedisAddress, parse_url
from roomwire.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://host", RedisAddress(host="host")),
        ("redis://host:1/2", RedisAddress(host="host", port=1, database=2)),
        ("redis://[::1]:1", RedisAddress(host="::1", port=1)),
        ("redis://:p%40ss@host", RedisAddress(host="host", password="p@ss")),
        ("redis://ann:p%2F:@host/", RedisAddress(host="host", user="ann", password="p/:")),
        ("redis://host?db=3", RedisAddress(host="host", database=3)),
        ("unix:///run/redis.sock?db=1", RedisAddress(path="/run/redis.sock", database=1)),
        (
            "unix://ann:secret@/run/redis.sock",
            RedisAddress(path="/run/redis.sock", user="ann", password="secret"),
        ),
    ],
)
async def test_a_url_names_a_server(url, address):
    assert address == parse_url(url) == await OnePrimary(address).find()


def test_tls_checks_certificate_and_name_unless_told_otherwise():
    strict = parse_url("rediss://host").tls
    lax = parse_url("rediss://host?ssl_cert_reqs=none").tls
    nameless = parse_url("rediss://host?ssl_check_hostname=false").tls

    assert (ssl.CERT_REQUIRED, True) == (strict.verify_mode, strict.check_hostname)
    assert (ssl.CERT_NONE, False) == (lax.verify_mode, lax.check_hostname)
    assert (ssl.CERT_REQUIRED, False) == (nameless.verify_mode, nameless.check_hostname)


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "redis://",
        "redis://host/x",
        "rediss://host?ssl_ca_certs=/nowhere",
        "rediss://host?ssl_unknown=1",
    ],
)
def test_what_names_no_server_is_one_sentence(url):
    with pytest.raises(ConfigurationError):
        parse_url(url)


def test_an_address_never_shows_its_password():
    address = parse_url("redis://ann:secret@host:1")

    assert "secret" not in f"{address} {address!r}"
