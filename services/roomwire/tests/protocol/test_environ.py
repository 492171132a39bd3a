"""A request's environ: what a session keeps of it says the same as before, and has each text once."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from roomwire.protocol.environ import KeptHeaders, decoded, environ_of, kept, request_bytes
from roomwire.protocol.sources import Proxies

names = st.sampled_from([b"accept", b"cookie", b"x-one", b"x_one", b"content-length", b"x-forwarded-for"])
headers = st.lists(st.tuples(names, st.binary(max_size=20)), max_size=8)
LONG = 10_000


def environ(headers, query=b""):
    scope = {"path": "/socket.io/", "query_string": query, "client": ("192.0.2.1", 1), "headers": headers}
    return environ_of(scope, decoded(headers), proxies=Proxies())


@given(headers)
def test_a_kept_environ_has_the_headers_that_came(headers):
    came = environ(headers)
    stays = kept(came)
    assert headers == [*stays["asgi.scope"]["headers"]]
    assert headers == stays["asgi.scope"]["headers"][:]
    assert {**came, "asgi.scope": None} == {**stays, "asgi.scope": None}


def test_a_kept_header_has_its_text_once_however_it_is_read():
    stays = kept(environ([(b"x-" + b"n" * LONG, b""), (b"x-value", b"v" * LONG)]))
    found = stays["asgi.scope"]["headers"]
    assert isinstance(found, KeptHeaders)
    assert 0 == found.own_bytes
    assert (b"x-value", b"v" * LONG) == found[1]
    fields = [part for field in found._fields for part in field]
    texts = {id(part): sys.getsizeof(part) for part in [*fields, *stays, *stays.values()]}
    assert 2 * LONG < sum(texts.values()) < 3 * LONG
    assert 2 * LONG < request_bytes(stays) < 3 * LONG


def test_what_cannot_be_made_from_the_environ_is_charged_beside_it():
    twice = kept(environ([(b"x-one", b"a" * LONG), (b"x_one", b"b" * LONG)]))
    assert request_bytes(twice) >= 4 * LONG
    assert request_bytes(kept(environ([], query=b"q" * LONG))) >= 3 * LONG


def test_a_request_without_a_scope_is_kept_as_it_is():
    plain = {"QUERY_STRING": "EIO=4"}
    assert plain is kept(plain)
    assert len("EIO=4") == request_bytes(plain)


def test_no_long_text_of_a_client_is_kept_for_other_clients():
    for _ in range(2):
        first, second = (environ([(b"x-" + b"n" * size, b"v" * size)]) for size in (LONG, LONG))
        assert first == second
        key, value = next((key, value) for key, value in first.items() if value == "v" * LONG)
        other = next(value for value in second.values() if value == "v" * LONG)
        assert value is not other
        assert all(key is not one for one in second)
