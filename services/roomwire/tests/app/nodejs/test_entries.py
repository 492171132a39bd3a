"""What `@socket.io/redis-streams-emitter` appends, and what is read of it.

The data were appended by `@socket.io/redis-streams-adapter` 0.3, whose servers and the emitter's release 0.1 write the same fields.
"""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.app.nodejs.entries import message_of
from roomwire.app.nodejs.errors import Reason, Refused
from roomwire.app.nodejs.messages import Audience, Broadcast, Disconnect, Join, Leave, ServerSide

ALL = Audience("/")
NO_OPTIONS = '"opts":{"rooms":[],"except":[],"flags":{}}'


def entry(kind, data, namespace="/"):
    return {b"uid": b"emitter", b"nsp": namespace.encode(), b"type": str(kind).encode(), b"data": data}


@pytest.mark.parametrize(
    ("kind", "namespace", "data", "expected"),
    [
        pytest.param(
            3,
            "/",
            f'{{"packet":{{"type":2,"data":["hi"]}},{NO_OPTIONS}}}',
            Broadcast(ALL, "hi", ()),
            id="an event",
        ),
        pytest.param(
            3,
            "/",
            f'{{"packet":{{"type":2,"data":["hi",1,"two",{{"three":[true,null,1.5]}}],"nsp":"/"}},{NO_OPTIONS}}}',
            Broadcast(ALL, "hi", (1, "two", {"three": [True, None, 1.5]})),
            id="arguments",
        ),
        pytest.param(
            3,
            "/",
            '{"packet":{"type":2,"data":["hi","x"]},"opts":{"rooms":["a","b"],"except":["c"],"flags":{}}}',
            Broadcast(Audience("/", ("a", "b"), ("c",)), "hi", ("x",)),
            id="rooms, except one",
        ),
        pytest.param(
            3,
            "/",
            '{"packet":{"type":2,"data":["hi"]},"opts":{"rooms":["a"],"except":[],"flags":{"volatile":true}}}',
            Broadcast(Audience("/", ("a",)), "hi", (), is_volatile=True),
            id="volatile",
        ),
        pytest.param(
            3,
            "/news",
            '{"packet":{"type":2,"data":["hi"]},"opts":{"rooms":[],"except":[],"flags":{"compress":false}}}',
            Broadcast(Audience("/news"), "hi", ()),
            id="a namespace; compress means nothing",
        ),
        pytest.param(
            3,
            "/",
            "gqZwYWNrZXSCpHR5cGUCpGRhdGGTpWJ5dGVzxAMBAgODpGRlZXCRxAIEBaJhdNf/O5rKAGsNz2yibm/ApG9wdHODpXJvb21z"
            "kKZleGNlcHSQpWZsYWdzgA==",
            Broadcast(
                ALL,
                "bytes",
                (b"\1\2\3", {"deep": [b"\4\5"], "at": "2026-11-30T19:33:00.250Z", "no": None}),
            ),
            id="bytes",
        ),
        pytest.param(
            3,
            "/",
            f'{{"packet":{{"type":2,"data":["odd",null,100000000000000000000,"\\ud83d"]}},{NO_OPTIONS}}}',
            Broadcast(ALL, "odd", (None, 1e20, "\ud83d")),
            id="a large number, half an emoji",
        ),
        pytest.param(
            4,
            "/",
            '{"opts":{"rooms":["a"],"except":["c"],"flags":{}},"rooms":["b","d"]}',
            Join(Audience("/", ("a",), ("c",)), ("b", "d")),
            id="a join",
        ),
        pytest.param(
            5,
            "/news",
            '{"opts":{"rooms":["a"],"except":[],"flags":{}},"rooms":["b"]}',
            Leave(Audience("/news", ("a",)), ("b",)),
            id="a leave",
        ),
        pytest.param(
            6,
            "/",
            '{"opts":{"rooms":["a"],"except":[],"flags":{}},"close":true}',
            Disconnect(Audience("/", ("a",))),
            id="a disconnect",
        ),
        pytest.param(
            9, "/", '{"packet":["hello",1]}', ServerSide("/", "hello", (1,)), id="an event for servers"
        ),
    ],
)
def test_an_entry_is_read_as_it_was_appended(kind, namespace, data, expected):
    assert expected == message_of(entry(kind, data.encode(), namespace))


@pytest.mark.parametrize("kind", [1, 2, 7, 8, 10, 11, 12, 13])
def test_what_servers_on_node_tell_each_other_means_nothing(kind):
    fields = entry(kind, b"")
    del fields[b"data"]

    assert message_of(fields) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, Reason.MALFORMED, id="no field"),
        pytest.param({b"type": b"3"}, Reason.MALFORMED, id="no namespace"),
        pytest.param({b"nsp": b"/", b"type": b"three"}, Reason.MALFORMED, id="no number"),
        pytest.param(entry(99, b"{}"), Reason.UNSUPPORTED, id="an unknown type"),
        pytest.param(entry(3, b"{}") | {b"nsp": b"\xff"}, Reason.MALFORMED, id="a strange namespace"),
        pytest.param({b"nsp": b"/", b"type": b"3"}, Reason.UNDECODABLE, id="no data"),
        pytest.param(entry(3, b"{"), Reason.UNDECODABLE, id="a part of JSON"),
        pytest.param(entry(3, b"#!"), Reason.UNDECODABLE, id="neither JSON nor base64"),
        pytest.param(entry(3, base64.b64encode(b"\xc1")), Reason.UNDECODABLE, id="no MessagePack"),
        pytest.param(entry(3, base64.b64encode(b"\x01")), Reason.MALFORMED, id="a number"),
        pytest.param(entry(3, b"{}"), Reason.MALFORMED, id="an event of nothing"),
        pytest.param(entry(3, f"{{{NO_OPTIONS}}}".encode()), Reason.MALFORMED, id="no packet"),
        pytest.param(entry(4, b'{"rooms":["b"]}'), Reason.MALFORMED, id="a join of no clients"),
        pytest.param(entry(9, b"{}"), Reason.MALFORMED, id="no event for servers"),
        pytest.param(entry(9, b'{"packet":["x"],"requestId":"q"}'), Reason.UNSUPPORTED, id="an answer"),
    ],
)
def test_what_cannot_be_performed_is_refused_for_a_reason(fields, expected):
    with pytest.raises(Refused) as refused:
        message_of(fields)

    assert expected == refused.value.reason


DATA = (
    st.binary(max_size=40)
    | st.binary(max_size=60).map(base64.b64encode)
    | st.dictionaries(
        st.sampled_from(["packet", "opts", "rooms", "requestId"]),
        st.none()
        | st.lists(st.text() | st.integers(), max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "data", "rooms", "except", "flags"]),
            st.lists(st.text(), max_size=2) | st.integers(),
        ),
    ).map(msgspec.json.encode)
)


@given(
    st.dictionaries(st.sampled_from([b"uid", b"nsp", b"data"]), DATA),
    st.integers(0, 14).map(lambda kind: str(kind).encode()) | st.binary(max_size=8),
)
def test_whatever_is_appended_is_read_or_refused(fields, kind):
    try:
        message = message_of({b"nsp": b"/", **fields, b"type": kind})
    except Refused:
        return
    assert message is None or isinstance(message, Broadcast | Join | Leave | Disconnect | ServerSide)
