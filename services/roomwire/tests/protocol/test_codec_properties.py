"""The short ways of the codec and of bindings give what the long ways give, or leave it to them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from socketio.packet import ACK, EVENT

from roomwire.gateways.binding import Binding
from roomwire.protocol.codec import (
    BadPacket,
    Packet,
    ack_frames,
    any_event_head,
    event_frames,
    event_head,
    packet_frames,
)
from roomwire.protocol.frames import message_of

namespaces = st.sampled_from(["/", "/g", "/a/b", "/\u20ac"])
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    plain | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
arguments = st.lists(values, max_size=4)
ack_ids = st.none() | st.integers(0, 10**15 - 1)


@given(namespaces, st.text(), arguments, ack_ids)
@example("/", "x", ["\ud800"], None)
@example("/g", "x", [True, 1, 1.5, None], 0)
def test_an_event_is_framed_as_the_packet_would_be(namespace, name, args, ack_id):
    data = [name, *args]
    packet = Packet(EVENT, data=data, namespace=namespace, id=ack_id)
    assert packet_frames(packet) == event_frames(namespace, data, ack_id)


@given(namespaces, arguments, st.integers(0, 10**15 - 1))
def test_an_ack_is_framed_as_the_packet_would_be(namespace, args, ack_id):
    packet = Packet(ACK, data=args, namespace=namespace, id=ack_id)
    assert packet_frames(packet) == ack_frames(namespace, args, ack_id)


@given(namespaces, st.text(), st.lists(values, max_size=4), ack_ids)
def test_what_is_framed_is_read_again(namespace, name, args, ack_id):
    data = [name, *args]
    head, *attachments = map(message_of, event_frames(namespace, data, ack_id))
    assume(len(attachments) <= Packet.max_attachments)
    packet = Packet(encoded_packet=head[1:])
    for attachment in attachments:
        packet.add_attachment(attachment)
    assert (namespace, ack_id, data) == (packet.namespace or "/", packet.id, packet.data)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_is_none_beside_half_a_surrogate_pair_either(constant):
    with pytest.raises(BadPacket):
        Packet(encoded_packet=f'2["x","\\ud800",{constant}]')


heads = st.sampled_from(
    ["2", "2/g,", "2/g", "2/,", "2/g?a=b,", "212", "2/g,12", "2-", "20-", "2\u0661", "2/" + "x" * 256 + ","]
)
bodies = st.sampled_from(['["x"]', '["x",1]', "[", "[]", "{}", "", "[1]", '["x"]]', "null", ' ["x"]'])


@given(st.tuples(heads, bodies).map("".join) | st.text(max_size=30).map("2".__add__))
def test_the_head_of_an_event_is_what_the_packet_says(text):
    head = event_head(text)
    try:
        packet = Packet(encoded_packet=text)
    except BadPacket:
        return  # the body decides, which a head does not look at
    if head is not None:
        namespace, ack_id, start = head
        assert (packet.namespace or "/", packet.id) == (namespace, ack_id)
        assert packet.data == json.loads(text[start:])


binary_heads = st.sampled_from(
    ["51-", "50-", "5", "51-/g,", "52-/g?a=b,7", "510-12", "511-", "5999-", "5-", "2", "21-", "2/g,3"]
)


@given(st.tuples(binary_heads, bodies).map("".join) | st.text(max_size=30).map("5".__add__))
def test_the_head_of_a_refused_event_is_what_the_packet_says(text):
    try:
        head = any_event_head(text, max_attachments=Packet.max_attachments)
    except BadPacket:
        with pytest.raises(BadPacket):
            Packet(encoded_packet=text)
        return
    try:
        packet = Packet(encoded_packet=text)
    except BadPacket:
        return  # the body decides, which a head does not look at
    assert (packet.namespace or "/", packet.id, packet.attachment_count) == head


class Body(msgspec.Struct):
    """What a client might send."""

    text: str
    number: int = 0
    items: list[float] | None = None


class Handlers:
    def nothing(self): ...

    def struct(self, body: Body): ...

    def several(self, a: int, b: str = "b", c: dict[str, int] | None = None): ...

    def anything(self, a: Any, b: Any = None): ...


BINDINGS = {
    name: Binding(getattr(Handlers(), name), socket_type=Handlers)
    for name in ("nothing", "struct", "several", "anything")
}
sent = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "number", "items", "x"]) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=8,
)
structs = st.fixed_dictionaries(
    {"text": st.text()},
    optional={"number": st.integers() | sent, "items": st.lists(st.floats(allow_nan=False) | sent)},
)


@pytest.mark.parametrize("name", list(BINDINGS))
@given(args=st.lists(sent | structs | st.integers() | st.text(), max_size=4))
@example(args=["\ud800"])
@example(args=[{"text": "\ud800"}])
@example(args=[10**30])
@example(args=[1e400])
@example(args=[1.0])
@example(args=[{"text": "a", "text ": "b"}])
def test_what_is_decoded_at_once_is_what_would_be_converted(name, args):
    binding, text = BINDINGS[name], json.dumps(["event", *args])
    try:
        found = binding.decoded(text, None)
    except msgspec.MsgspecError:
        return  # the long way decides
    # Where it answers, the long way would have given the same.
    assert _same(binding.arguments(None, Packet(encoded_packet="2" + text).data[1:]), found)


def _same(expected: Any, found: Any) -> bool:
    """Compare values with their types, and missing ones with their defaults."""
    if found is None:
        return True
    return (
        all(
            type(found[name]) is type(value) and found[name] == value
            for name, value in expected.items()
            if name in found
        )
        and found.keys() <= expected.keys()
    )
