"""Socket.IO packets: there and back, refusals, and the differences from python-socketio's own."""

import datetime as dt
import decimal
import json
import math
import uuid

import pytest
import socketio.packet
from hypothesis import example, given
from hypothesis import strategies as st
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

from roomwire.protocol.codec import BadPacket, Packet
from roomwire.protocol.values import MAX_LEVELS

PLACEHOLDER = '{"_placeholder":true,"num":%d}'
PLAIN_TYPE = {BINARY_EVENT: EVENT, BINARY_ACK: ACK}


def decoded(text, *attachments) -> Packet:
    """Return the packet of a text and its attachments."""
    packet = Packet(encoded_packet=text)
    assert packet.attachment_count == len(attachments), "the test has to give what is announced"
    for number, attachment in enumerate(attachments, start=1):
        assert packet.add_attachment(attachment) is (number == len(attachments))
    return packet


def facts(packet: Packet) -> tuple[object, ...]:
    """Return what a packet says; whether that needs attachments is a matter of its notation."""
    # By its notation data are compared with their types: 1, 1.0 and True are equal.
    kind = PLAIN_TYPE.get(packet.packet_type, packet.packet_type)
    return kind, packet.namespace or "/", packet.id, repr(packet.data)


def again(packet: Packet) -> Packet:
    """Return the packet after encoding and decoding."""
    encoded = packet.encode()
    return decoded(*encoded) if isinstance(encoded, list) else decoded(encoded)


def count_binary(value) -> int:
    if isinstance(value, bytes):
        return 1
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(count_binary, items))


texts = st.text(st.characters(exclude_categories=["Cs"]))
atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts


def nested(leaves, keys=texts):
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=10,
    )


arguments = st.lists(nested(atoms | st.binary()), max_size=4).filter(
    lambda values: count_binary(values) <= Packet.max_attachments
)
namespaces = (
    st.none()
    | st.just("/")
    | st.text(st.characters(exclude_characters=",?", exclude_categories=["Cs"]), max_size=255).map(
        "/".__add__
    )
)
ids = st.integers(0, 10**15 - 1)
events = st.builds(lambda event, values: [event, *values], texts, arguments)
packets = (
    st.builds(Packet, st.just(EVENT), events, namespaces, st.none() | ids)
    | st.builds(Packet, st.just(ACK), arguments, namespaces, ids)
    | st.builds(Packet, st.just(CONNECT), st.none() | st.dictionaries(texts, nested(atoms)), namespaces)
    | st.builds(Packet, st.just(DISCONNECT), st.none(), namespaces)
)


@given(packets)
def test_what_is_encoded_comes_back_as_it_was(packet):
    assert facts(packet) == facts(again(packet))


@given(events)
def test_binary_values_travel_beside_the_text_in_their_order(event):
    encoded = Packet(EVENT, event).encode()
    if count_binary(event) == 0:
        assert isinstance(encoded, str)
    else:
        text, *attachments = encoded
        assert f"5{count_binary(event)}-" == text[: text.index("[")]
        assert [PLACEHOLDER % number in text for number in range(len(attachments))] == [True] * len(
            attachments
        )


anything = st.text(st.characters(exclude_categories=[])) | st.binary()
nearly = st.builds(
    "".join,
    st.tuples(
        st.sampled_from("0123456789\u0663"),
        st.sampled_from(["", "0-", "1-", "2-", "10-", "11-", "-", "1-1-", "\u0661-"]),
        st.sampled_from(["", "/", "/,", "/a,", "/a?b=c,", "/a", "/\n", "a,"]),
        st.sampled_from(["", "0", "7", "007", "123456789012345", "1234567890123456", "-1", "1.5", "\u0663"]),
        st.sampled_from(["", "[]", "{}", "null", '"x"', "1", "[1]", '["x"]', '["x",1]', '["x"', " ", "\n"])
        | st.lists(
            st.sampled_from(
                [
                    '"x"',
                    "1",
                    "{}",
                    "[]",
                    "1e999",
                    "NaN",
                    '"\\ud800"',
                    *(PLACEHOLDER % n for n in range(-1, 3)),
                ]
            ),
            max_size=4,
        ).map(lambda items: f"[{','.join(items)}]"),
    ),
)


@given(nearly | anything, st.lists(st.binary(max_size=3) | st.text(max_size=3), min_size=10, max_size=10))
@example('2["x","\ud800"]', [])
@example("2" + "\u0661" * 3 + '["x"]', [])
def test_whatever_comes_is_a_packet_that_can_be_sent_on_or_a_bad_packet(encoded, attachments):
    try:
        packet = Packet(encoded_packet=encoded or "?")
        for attachment in attachments[: packet.attachment_count]:
            packet.add_attachment(attachment)
    except BadPacket:
        return
    assert facts(packet) == facts(again(packet))


@pytest.mark.parametrize("depth", [MAX_LEVELS + 1, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("prefix", ["2", "50-", "31", "60-1"])
def test_a_packet_that_is_nested_more_deeply_than_a_value_may_be_is_a_bad_packet(prefix, depth):
    with pytest.raises(BadPacket, match="the payload is nested too deeply"):
        Packet(encoded_packet=f'{prefix}["x",{"[" * depth}{"]" * depth}]')


@pytest.mark.parametrize("prefix", ["2", "50-", "31", "60-1"])
def test_a_packet_with_a_value_of_the_greatest_depth_is_decoded(prefix):
    packet = Packet(encoded_packet=f'{prefix}["x",{"[" * MAX_LEVELS}{"]" * MAX_LEVELS},[],{{}}]')

    assert ["x", [], {}] == [packet.data[0], *packet.data[2:]]


def test_an_attachment_is_put_into_a_value_of_the_greatest_depth():
    depth = MAX_LEVELS - 1
    packet = Packet(encoded_packet=f'51-["x",{"[" * depth}{PLACEHOLDER % 0}{"]" * depth}]')

    assert packet.add_attachment(b"x")
    assert "b'x'" in repr(packet.data)[depth:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", (CONNECT, "/", None, None), id="connect"),
        pytest.param('0{"token":"x"}', (CONNECT, "/", None, {"token": "x"}), id="connect with auth"),
        pytest.param("0/a", (CONNECT, "/a", None, None), id="a namespace without a comma"),
        pytest.param("0/a,{}", (CONNECT, "/a", None, {}), id="a namespace with auth"),
        pytest.param("0/a?b=c,", (CONNECT, "/a", None, None), id="a namespace with a query"),
        pytest.param("1/a,", (DISCONNECT, "/a", None, None), id="disconnect"),
        pytest.param('2["x"]', (EVENT, "/", None, ["x"]), id="event"),
        pytest.param('2/a,12["x",1]', (EVENT, "/a", 12, ["x", 1]), id="event with an ack"),
        pytest.param('2007["x"]', (EVENT, "/", 7, ["x"]), id="zeros before an id"),
        pytest.param('2["\u20ac","\\u20ac"]', (EVENT, "/", None, ["\u20ac", "\u20ac"]), id="unicode"),
        pytest.param("0[]", (CONNECT, "/", None, []), id="auth that is a list is for the server to refuse"),
        pytest.param("07", (CONNECT, "/", 7, None), id="auth that is a number reads as an id"),
        pytest.param("11", (DISCONNECT, "/", 1, None), id="a disconnect with an id"),
        pytest.param("2[1]", (EVENT, "/", None, [1]), id="a name that is a number"),
        pytest.param("2[1.5]", (EVENT, "/", None, [1.5]), id="a name that is a fraction"),
        pytest.param("30[]", (ACK, "/", 0, []), id="ack"),
        pytest.param('50-["x"]', (EVENT, "/", None, ["x"]), id="binary without attachments is an event"),
        pytest.param("60-1[]", (ACK, "/", 1, []), id="a binary ack without attachments is an ack"),
        pytest.param(
            f'2["x",{PLACEHOLDER % 0}]',
            (EVENT, "/", None, ["x", {"_placeholder": True, "num": 0}]),
            id="no binary event, no placeholder",
        ),
    ],
)
def test_packets_are_read_as_the_protocol_says(text, expected):
    packet = decoded(text)
    assert expected == (packet.packet_type, packet.namespace or "/", packet.id, packet.data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b'2["x"]', "not a packet", id="bytes"),
        pytest.param("7", "not a packet", id="type 7"),
        pytest.param("x", "not a packet", id="no type"),
        pytest.param("\u06622[]", "not a packet", id="a type in another script"),
        pytest.param("2", "does not fit", id="an event of nothing"),
        pytest.param("2[]", "does not fit", id="an event without a name"),
        pytest.param("2[true]", "does not fit", id="a name that is a truth value"),
        pytest.param("2[null]", "does not fit", id="a name that is null"),
        pytest.param('2{"0":"x"}', "does not fit", id="an event that is an object"),
        pytest.param('2"x"', "does not fit", id="an event that is a text"),
        pytest.param('2/a["x"]', "does not fit", id="a namespace without its comma"),
        pytest.param('2["x"', "not JSON", id="JSON cut short"),
        pytest.param('2["x"]]', "not JSON", id="JSON and more"),
        pytest.param('2["x",NaN]', "not JSON", id="NaN"),
        pytest.param('2["x",1e999]', "not JSON", id="a number without bounds"),
        pytest.param(f'2["x",{"1" * 5_000}]', "not JSON", id="a number of 5,000 digits"),
        pytest.param('2["x","\ud800"]', "not JSON", id="half a surrogate pair, raw"),
        pytest.param("2['x']", "not JSON", id="single quotes"),
        pytest.param('2abc["x"]', "not JSON", id="an id of letters"),
        pytest.param('2\u0663["x"]', "not JSON", id="an id in another script"),
        pytest.param('2-1["x"]', "not JSON", id="a negative id"),
        pytest.param(f'2{"1" * 16}["x"]', "not JSON", id="too long an id"),
        pytest.param("0/" + "x" * 256, "not JSON", id="too long a namespace"),
        pytest.param("1{}", "does not fit", id="a disconnect with data"),
        pytest.param("3[]", "does not fit", id="an ack without an id"),
        pytest.param("31", "does not fit", id="an ack without data"),
        pytest.param("31{}", "does not fit", id="an ack that is an object"),
        pytest.param('4{"message":"x"}', "CONNECT_ERROR", id="an error of a client"),
        pytest.param('5["x"]', "number of attachments", id="a binary event without a count"),
        pytest.param("61[]", "number of attachments", id="a binary ack without a count"),
        pytest.param('21-["x"]', "number of attachments", id="an event with a count"),
        pytest.param("31-1[]", "number of attachments", id="an ack with a count"),
        pytest.param("01-", "number of attachments", id="a connect with a count"),
        pytest.param(
            f'5{Packet.max_attachments + 1}-["x"]', "number of attachments", id="an attachment too many"
        ),
        pytest.param('5999-["x"]', "number of attachments", id="many attachments"),
        pytest.param('59999999999-["x"]', "not JSON", id="attachments without bounds"),
        pytest.param('5\u0661-["x"]', "not JSON", id="a count in another script"),
        pytest.param(f'50-["x",{PLACEHOLDER % 0}]', "without its attachment", id="a placeholder of nothing"),
        pytest.param(
            f"60-1[{PLACEHOLDER % 0}]", "without its attachment", id="a placeholder of nothing in an ack"
        ),
    ],
)
def test_what_a_client_may_not_send_is_refused_with_its_reason(text, reason):
    with pytest.raises(BadPacket, match=reason):
        Packet(encoded_packet=text)


@pytest.mark.parametrize(
    ("items", "attachments", "reason"),
    [
        pytest.param([PLACEHOLDER % 1], [b""], "placeholder without", id="beyond the end"),
        pytest.param([PLACEHOLDER % -1], [b""], "placeholder without", id="before the start"),
        pytest.param(['{"_placeholder":true}'], [b""], "placeholder without", id="no number"),
        pytest.param(['{"_placeholder":true,"num":true}'], [b"", b""], "placeholder without", id="true"),
        pytest.param(['{"_placeholder":true,"num":0.0}'], [b""], "placeholder without", id="a float"),
        pytest.param(['{"_placeholder":true,"num":"0"}'], [b""], "placeholder without", id="a text"),
        pytest.param(['{"_placeholder":true,"num":[0]}'], [b""], "placeholder without", id="a list"),
        pytest.param([PLACEHOLDER % 0] * 2, [b""], "placeholder without", id="one attachment named twice"),
        pytest.param([], [b""], "attachment without", id="an attachment for nothing"),
        pytest.param(
            ['{"_placeholder":1,"num":0}'], [b""], "attachment without", id="a placeholder that is none"
        ),
        pytest.param([PLACEHOLDER % 1], [b"", b""], "attachment without", id="one of two for nothing"),
        pytest.param([PLACEHOLDER % 0], ["x"], "a text where an attachment belongs", id="a text"),
    ],
)
@pytest.mark.parametrize("wrap", [pytest.param("%s", id="flat"), pytest.param('[{"deep":%s}]', id="deep")])
def test_placeholders_that_lie_are_refused(items, attachments, reason, wrap):
    text = ",".join(['"x"', *(wrap % item for item in items)])
    with pytest.raises(BadPacket, match=reason):
        decoded(f"5{len(attachments)}-[{text}]", *attachments)


def test_as_many_attachments_as_allowed_are_taken_in_any_order():
    numbers = [*range(Packet.max_attachments)][::-1]
    text = ",".join(['"x"', *(PLACEHOLDER % number for number in numbers)])
    packet = decoded(
        f"5{Packet.max_attachments}-[{text}]", *(bytes([number]) for number in range(Packet.max_attachments))
    )
    assert ["x", *(bytes([number]) for number in numbers)] == packet.data


def test_an_attachment_that_was_not_announced_is_refused():
    with pytest.raises(ValueError, match="Unexpected"):
        decoded('2["x"]').add_attachment(b"x")


def test_a_server_may_send_an_error():
    assert '4/a,{"message":"x"}' == Packet(CONNECT_ERROR, {"message": "x"}, "/a").encode()


printable = st.text(st.characters(max_codepoint=0x7E))
ordinary = nested(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(1e-4, 1e15)
    | st.floats(-1e15, -1e-4)
    | printable
    | st.binary()
    | st.binary().map(bytearray),
    printable,
)


@given(printable, st.lists(ordinary, max_size=4), namespaces, st.none() | ids)
def test_ordinary_data_are_encoded_byte_for_byte_as_by_python_socketio(event, values, namespace, ack_id):
    ours, stock = (
        kind(EVENT, [event, *values], namespace, ack_id).encode() for kind in (Packet, socketio.packet.Packet)
    )
    assert stock == ours


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({None: 1, True: 2, False: 3}, id="keys that are names of JSON"),
        pytest.param({1: 1, 1.5: 2}, id="keys that are numbers"),
        pytest.param(type("Number", (int,), {})(3), id="a kind of int"),
        pytest.param(type("Number", (float,), {})(3.5), id="a kind of float"),
        pytest.param(type("Text", (str,), {})("x"), id="a kind of str"),
        pytest.param(type("Items", (list,), {})([1]), id="a kind of list"),
        pytest.param(("x", 1), id="a tuple"),
        pytest.param(2**80, id="a large number"),
    ],
)
def test_what_python_socketio_takes_is_encoded_alike(value):
    assert socketio.packet.Packet(EVENT, ["x", value]).encode() == Packet(EVENT, ["x", value]).encode()


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        pytest.param("\u20ac\x7f", '"\u20ac\x7f"', id="text beyond ASCII is not escaped"),
        pytest.param(1e16, "1e16", id="large floats"),
        pytest.param(1e-7, "1e-7", id="small floats"),
    ],
)
def test_other_notations_mean_the_same(value, ours):
    stock = socketio.packet.Packet(EVENT, ["x", value]).encode()
    assert f'2["x",{ours}]' == Packet(EVENT, ["x", value]).encode()
    assert json.loads(stock[1:]) == json.loads(f'["x",{ours}]')
    assert f'2["x",{ours}]' != stock


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        pytest.param(math.nan, "null", id="NaN, which is no JSON"),
        pytest.param(-math.inf, "null", id="infinity, which is no JSON"),
        pytest.param({1}, "[1]", id="a set"),
        pytest.param(decimal.Decimal("1.50"), '"1.50"', id="a decimal"),
        pytest.param(dt.date(2020, 1, 2), '"2020-01-02"', id="a date"),
        pytest.param(uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"', id="a UUID"),
    ],
)
def test_what_python_socketio_cannot_send_or_clients_cannot_read_is_sent_as_json(value, ours):
    assert f'2["x",{ours}]' == Packet(EVENT, ["x", value]).encode()


def test_half_a_surrogate_pair_is_left_to_the_handlers_body():
    # JavaScript sends it, escaped, where a text was cut inside an emoji; stock takes and sends it as well.
    packet = Packet(encoded_packet='2["x","\\ud800"]')

    assert ["x", "\ud800"] == packet.data
    assert '2["x","\\ud800"]' == packet.encode()
