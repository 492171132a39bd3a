"""What `@socket.io/redis-emitter` publishes, and what is read of it. The bytes were published by release 5.1."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.app.nodejs.channels import Channels
from roomwire.app.nodejs.errors import Reason, Refused
from roomwire.app.nodejs.messages import MAX_ROOMS, Audience, Broadcast, Disconnect, Join, Leave, ServerSide

CHANNELS = Channels("socket.io")
ALL = Audience("/")
HEAD = "93a7656d697474657283a47479706502a464617461"
NO_OPTIONS = "83a5726f6f6d7390a5666c61677380a665786365707490"
ROOT = "a36e7370a12f"


def pack(value):
    return msgspec.msgpack.encode(value)


def event(packet=None, options=None, *, uid="emitter"):
    """Return an event as notepack writes it."""
    return pack([uid, {"type": 2, "data": ["hi"], "nsp": "/", **(packet or {})}, options or {}])


@pytest.mark.parametrize(
    ("channel", "published", "expected"),
    [
        pytest.param(
            "socket.io#/#", f"{HEAD}91a26869{ROOT}{NO_OPTIONS}", Broadcast(ALL, "hi", ()), id="an event"
        ),
        pytest.param(
            "socket.io#/#",
            f"{HEAD}94a2686901a374776f81a5746872656593c3c0cb3ff8000000000000{ROOT}{NO_OPTIONS}",
            Broadcast(ALL, "hi", (1, "two", {"three": [True, None, 1.5]})),
            id="arguments",
        ),
        pytest.param(
            "socket.io#/#a#",
            f"{HEAD}92a26869a178{ROOT}83a5726f6f6d7391a161a5666c61677380a665786365707490",
            Broadcast(Audience("/", ("a",)), "hi", ("x",)),
            id="a room",
        ),
        pytest.param(
            "socket.io#/#",
            f"{HEAD}92a26869a178{ROOT}83a5726f6f6d7392a161a162a5666c61677380a665786365707491a163",
            Broadcast(Audience("/", ("a", "b"), ("c",)), "hi", ("x",)),
            id="rooms, except one",
        ),
        pytest.param(
            "socket.io#/#a#",
            f"{HEAD}92a26869a178{ROOT}83a5726f6f6d7391a161a5666c61677381a8766f6c6174696c65c3a665786365707490",
            Broadcast(Audience("/", ("a",)), "hi", ("x",), is_volatile=True),
            id="volatile",
        ),
        pytest.param(
            "socket.io#/#",
            f"{HEAD}91a26869{ROOT}83a5726f6f6d7390a5666c61677381a8636f6d7072657373c2a665786365707490",
            Broadcast(ALL, "hi", ()),
            id="compress means nothing",
        ),
        pytest.param(
            "socket.io#/news#a#",
            f"{HEAD}91a26869a36e7370a52f6e65777383a5726f6f6d7391a161a5666c61677380a665786365707490",
            Broadcast(Audience("/news", ("a",)), "hi", ()),
            id="a namespace",
        ),
        pytest.param(
            "socket.io#/#",
            f"{HEAD}93a56279746573c40301020381a46465657091c4020405{ROOT}{NO_OPTIONS}",
            Broadcast(ALL, "bytes", (b"\1\2\3", {"deep": [b"\4\5"]})),
            id="bytes",
        ),
        pytest.param(
            "socket.io#/#",
            f"{HEAD}9aa36f6464c080d7ff3b9aca006b0dcf6cd6ff6b0dcf6ccb7ff8000000000000cf001ffffffffffffffb"
            f"cf35c9adc5dea00000a9c3bc6ec3aff09f9880{ROOT}{NO_OPTIONS}",
            Broadcast(
                ALL,
                "odd",
                (
                    *(None, {}, "2026-11-30T19:33:00.250Z", "2026-11-30T19:33:00.000Z", None),
                    *(2**53 - 1, -5, 0x35C9ADC5DEA00000, "ünï😀"),
                ),
            ),
            id="undefined, dates, not a number, large numbers",
        ),
    ],
)
def test_an_event_is_read_as_it_was_emitted(channel, published, expected):
    assert expected == CHANNELS.message(channel.encode(), bytes.fromhex(published))


@pytest.mark.parametrize(
    ("channel", "published", "expected"),
    [
        ("/", '{"type":2,"opts":{"rooms":[],"except":[]},"rooms":["b"]}', Join(ALL, ("b",))),
        (
            "/",
            '{"type":2,"opts":{"rooms":["a"],"except":["c"]},"rooms":["b","d"]}',
            Join(Audience("/", ("a",), ("c",)), ("b", "d")),
        ),
        (
            "/news",
            '{"type":3,"opts":{"rooms":["a"],"except":[]},"rooms":["b"]}',
            Leave(Audience("/news", ("a",)), ("b",)),
        ),
        ("/", '{"type":4,"opts":{"rooms":[],"except":[]},"close":false}', Disconnect(ALL)),
        (
            "/",
            '{"type":4,"opts":{"rooms":["a"],"except":[]},"close":true}',
            Disconnect(Audience("/", ("a",))),
        ),
        (
            "/",
            '{"uid":"emitter","type":6,"data":["hello",1,{"two":2}]}',
            ServerSide("/", "hello", (1, {"two": 2})),
        ),
        ("/", '{"type":2,"sid":"s1","room":"b"}', Join(Audience("/", ("s1",)), ("b",))),
        ("/", '{"type":3,"sid":"s1","room":"b"}', Leave(Audience("/", ("s1",)), ("b",))),
        ("/", '{"type":4,"sid":"s1","close":true}', Disconnect(Audience("/", ("s1",)))),
        ("/", '{"type":0,"requestId":"q","rooms":[]}', None),
        ("/", '{"type":5,"requestId":"q","opts":{"rooms":[],"except":[]}}', None),
    ],
    ids=str,
)
def test_a_request_is_read_as_it_was_made_and_those_between_servers_on_node_mean_nothing(
    channel, published, expected
):
    assert expected == CHANNELS.message(f"socket.io-request#{channel}#".encode(), published.encode())


def test_an_emitter_with_json_as_its_parser_and_another_key_is_read():
    channels = Channels("k")
    said = b'["emitter",{"type":2,"data":["hi","x"],"nsp":"/"},{"rooms":["a"],"flags":{},"except":[]}]'

    assert Broadcast(Audience("/", ("a",)), "hi", ("x",)) == channels.message(b"k#/#a#", said)
    assert (b"k#*", b"k-request#*") == channels.patterns


@pytest.mark.parametrize(
    ("channel", "published", "expected"),
    [
        pytest.param("socket.io#/#", b"", Reason.UNDECODABLE, id="nothing"),
        pytest.param("socket.io#/#", event()[:-1], Reason.UNDECODABLE, id="a part"),
        pytest.param("socket.io#/#", event() + b"\0", Reason.UNDECODABLE, id="more"),
        pytest.param("socket.io#/#", b"[" * 10_000, Reason.UNDECODABLE, id="nested JSON"),
        pytest.param("socket.io#/#", b"\x91" * 10_000, Reason.UNDECODABLE, id="nested MessagePack"),
        pytest.param("socket.io#/#", b"\x93\xa1a\xa2\xff\xff\x80", Reason.UNDECODABLE, id="not UTF-8"),
        pytest.param("socket.io#/#", b"\xc0" * 1_000_001, Reason.TOO_LARGE, id="too large"),
        pytest.param("socket.io#/#", pack(7), Reason.MALFORMED, id="a number"),
        pytest.param("socket.io#/#", pack(["emitter", {}]), Reason.MALFORMED, id="no options"),
        pytest.param("socket.io#/#", event({"data": []}), Reason.MALFORMED, id="no name"),
        pytest.param("socket.io#/#", event({"data": [1]}), Reason.MALFORMED, id="a number as the name"),
        pytest.param("socket.io#/#", event({"data": "hi"}), Reason.MALFORMED, id="no list"),
        pytest.param("socket.io#/#", event({"nsp": "/news"}), Reason.MALFORMED, id="another namespace"),
        pytest.param("socket.io#/#", event({"nsp": 1}), Reason.MALFORMED, id="no namespace"),
        pytest.param("socket.io#/#", event({"type": 0}), Reason.UNSUPPORTED, id="another packet"),
        pytest.param("socket.io#/#", event({"id": 1}), Reason.UNSUPPORTED, id="an ack"),
        pytest.param("socket.io#/#", event(None, {"rooms": [None]}), Reason.MALFORMED, id="null as a room"),
        pytest.param("socket.io#/#", event(None, {"rooms": [True]}), Reason.MALFORMED, id="true as a room"),
        pytest.param("socket.io#/#", event(None, {"except": "a"}), Reason.MALFORMED, id="no list of rooms"),
        pytest.param(
            "socket.io#/#", event(None, {"rooms": ["a"] * (MAX_ROOMS + 1)}), Reason.TOO_LARGE, id="many rooms"
        ),
        pytest.param(
            "socket.io#/#", event({"data": ["hi", {1: 2}]}), Reason.UNDECODABLE, id="a number as a key"
        ),
        pytest.param(
            "socket.io#/#",
            event({"data": ["hi", msgspec.msgpack.Ext(7, b"x")]}),
            Reason.UNSUPPORTED,
            id="a type of the sender's own",
        ),
        pytest.param("socket.io-request#/#", b"\x80", Reason.UNSUPPORTED, id="a request that is not JSON"),
        pytest.param("socket.io-request#/#", b"{", Reason.UNDECODABLE, id="a part of a request"),
        pytest.param("socket.io-request#/#", b"{}", Reason.MALFORMED, id="an empty request"),
        pytest.param("socket.io-request#/#", b'{"type":77}', Reason.UNSUPPORTED, id="an unknown request"),
        pytest.param("socket.io-request#/#", b'{"type":2}', Reason.UNSUPPORTED, id="a join of no clients"),
        pytest.param("socket.io-request#/#", b'{"type":6,"data":[]}', Reason.MALFORMED, id="no event"),
        pytest.param(
            "socket.io-request#/#",
            b'{"type":6,"requestId":"q","data":["hi"]}',
            Reason.UNSUPPORTED,
            id="a request for an answer",
        ),
        pytest.param("socket.io-request#\xff#", b'{"type":4}', Reason.MALFORMED, id="a strange namespace"),
    ],
)
def test_what_cannot_be_performed_is_refused_for_a_reason(channel, published, expected):
    with pytest.raises(Refused) as refused:
        CHANNELS.message(channel.encode("latin-1"), published)

    assert expected == refused.value.reason


def test_what_servers_with_the_streams_adapter_ask_each_other_means_nothing():
    assert CHANNELS.message(b"socket.io#/#", pack({"type": 7, "data": {}, "uid": "s", "nsp": "/"})) is None


def test_undefined_of_an_old_notepack_is_null():
    said = event({"data": ["hi", msgspec.msgpack.Ext(0, b"\0")]})

    assert Broadcast(ALL, "hi", (None,)) == CHANNELS.message(b"socket.io#/#", said)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
PACKETS = st.fixed_dictionaries({}, optional=dict.fromkeys(("type", "data", "nsp", "id"), VALUES))
OPTIONS = st.fixed_dictionaries({}, optional=dict.fromkeys(("rooms", "flags", "except"), VALUES))


@given(
    st.sampled_from([b"socket.io#/#", b"socket.io#/#a#", b"socket.io-request#/#", b"socket.io#"]),
    st.binary(max_size=64)
    | VALUES.map(pack)
    | st.tuples(VALUES, PACKETS | VALUES, OPTIONS | VALUES).map(pack)
    | st.builds(lambda text: b"{" + text.encode(errors="replace"), st.text()),
)
def test_whatever_is_published_is_read_or_refused(channel, published):
    try:
        message = CHANNELS.message(channel, published)
    except Refused:
        return
    assert message is None or isinstance(message, Broadcast | Join | Leave | Disconnect | ServerSide)
