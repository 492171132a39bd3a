"""Which Redis, from a URL."""

import ssl
from pathlib import Path

import pytest

from roomwire.errors import ConfigurationError
from roomwire.redis.url import Host, RedisUrl, believing, parse_redis_url

HOST = (Host("host", 6379),)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://host", {"hosts": HOST}),
        ("redis://host:1/2", {"hosts": (Host("host", 1),), "database": 2}),
        ("redis://[::1]:1", {"hosts": (Host("::1", 1),)}),
        ("redis://:p%40ss@host", {"hosts": HOST, "password": "p@ss"}),
        ("redis://ann:p%2F:@host/", {"hosts": HOST, "user": "ann", "password": "p/:"}),
        ("redis://host?db=3", {"hosts": HOST, "database": 3}),
        ("unix:///run/redis.sock?db=1", {"path": "/run/redis.sock", "database": 1}),
        ("unix://ann:x@/run/redis.sock", {"path": "/run/redis.sock", "user": "ann", "password": "x"}),
        (
            "redis+sentinel://one,two:2,[::1]:3/chat",
            {"kind": "sentinel", "hosts": (Host("one", 26379), Host("two", 2), Host("::1", 3)), "service": "chat"},
        ),
        (
            "redis+sentinel://ann:x@one/chat/4?sentinel_user=bo&sentinel_password=y%26",
            {
                "kind": "sentinel", "hosts": (Host("one", 26379),), "service": "chat", "database": 4,
                "user": "ann", "password": "x", "sentinel_user": "bo", "sentinel_password": "y&",
            },
        ),
        (
            "redis+cluster://:x@one:1,two/",
            {"kind": "cluster", "hosts": (Host("one", 1), Host("two", 6379)), "password": "x"},
        ),
        (
            "rediss+cluster://one/0?ssl_cert_reqs=none",
            {"kind": "cluster", "hosts": (Host("one", 6379),), "has_tls": True, "tls": {"ssl_cert_reqs": "none"}},
        ),
    ],
)  # fmt: skip
def test_a_url_says_where_and_how_to_log_in(url, said):
    assert RedisUrl(**{"kind": "one"} | said) == parse_redis_url(url)


@pytest.mark.parametrize("kind", ["rediss://host", "rediss+sentinel://host/name", "rediss+cluster://host"])
def test_tls_checks_certificate_and_name_unless_told_otherwise(kind):
    strict, lax, nameless = (
        parse_redis_url(f"{kind}{options}").context()
        for options in ("", "?ssl_cert_reqs=none", "?ssl_check_hostname=false")
    )

    assert (ssl.CERT_REQUIRED, True) == (strict.verify_mode, strict.check_hostname)
    assert (ssl.CERT_NONE, False) == (lax.verify_mode, lax.check_hostname)
    assert (ssl.CERT_REQUIRED, False) == (nameless.verify_mode, nameless.check_hostname)
    assert parse_redis_url(kind.replace("rediss", "redis")).context() is None


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://host", "use one of redis://"),
        ("redis://", "use scheme"),
        ("redis://:x@ho#st", "use scheme"),
        ("redis://host:0", "use scheme"),
        ("redis://host/x", "use a number for the database"),
        ("redis://host/\u0663", "use a number for the database"),
        ("redis://one,two", "use redis\\+sentinel:// or redis\\+cluster://"),
        ("redis://host?ssl_ca_certs=/file", "use only these options .*: db"),
        ("rediss://host?ssl_unknown=1", "use only these options .*: db, ssl_ca_certs"),
        ("rediss://host?ssl_cert_reqs=optional", "use required or none"),
        ("redis://host?sentinel_user=x", "use only these options"),
        ("unix://host/path", "use unix:///?"),
        ("unix://", "use unix:///?"),
        ("redis+sentinel://host", "use redis\\+sentinel://.*/service/db"),
        ("redis+sentinel://one,/name", "use scheme"),
        ("redis+sentinel://host/name/x", "use a number for the database"),
        ("redis+cluster://host/1", "use .* database 0 only"),
    ],
)
def test_what_says_nothing_is_one_sentence_with_a_hint(url, hint):
    with pytest.raises(ConfigurationError, match=f"^{hint}"):
        parse_redis_url(url)


def test_a_file_of_tls_that_is_not_there_is_a_sentence():
    with pytest.raises(ConfigurationError, match=r"^TLS to Redis: "):
        parse_redis_url("rediss://host?ssl_ca_certs=/nowhere").context()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("rediss://host", "/run/ca.crt"),
        ("rediss+sentinel://host/name/1?sentinel_user=ann", "/run/ca.crt"),
        ("rediss+cluster://host?ssl_ca_certs=/own", "/own"),
    ],
)
def test_an_authority_is_believed_unless_the_url_names_its_own(url, file):
    before, after = parse_redis_url(url), parse_redis_url(believing(url, Path("/run/ca.crt")))

    assert file == after.tls["ssl_ca_certs"]
    assert (before.hosts, before.sentinel_user) == (after.hosts, after.sentinel_user)


def test_an_authority_for_a_redis_without_tls_is_a_sentence():
    with pytest.raises(ConfigurationError, match="does not use TLS: use rediss://"):
        believing("redis://ann:secret@host", Path("/run/ca.crt"))


def test_what_is_secret_is_never_shown():
    said = parse_redis_url("redis+sentinel://ann:secret@one/chat?sentinel_password=secret")

    assert "<RedisUrl sentinel one:26379>" == repr(said)
