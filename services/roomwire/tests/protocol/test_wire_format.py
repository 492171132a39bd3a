"""The forms of packets that a program may choose: what is stored is what clients get, and what strangers send is checked."""

import decimal
import json

import msgpack
import msgspec
import pytest
import socketio
from socketio.msgpack_packet import MsgPackPacket

from roomwire.limits.client import Limits
from roomwire.protocol.codec import BadPacket, Packet
from roomwire.protocol.payloads import event_payload
from roomwire.protocol.wire_format import NATIVE, wire_format


class Exact:
    """A JSON module that writes decimals as numbers, and reads numbers as decimals."""

    @staticmethod
    def dumps(value, **options):
        return json.dumps(value, default=lambda number: f"{number} exactly", **options)

    @staticmethod
    def loads(text):
        return json.loads(text, parse_float=decimal.Decimal)


class Upper(socketio.packet.Packet):
    """A class of packets of a program's own."""

    def encode(self):
        text, *attachments = encoded if isinstance(encoded := super().encode(), list) else [encoded]
        return [text.upper(), *attachments] if attachments else text.upper()

    def decode(self, encoded_packet):
        return super().decode(encoded_packet.lower())


def form(serializer="default", module=None, **limits):
    return wire_format(serializer, module, Limits(**limits))


def messages(frames):
    """Return what frames of a WebSocket carry."""
    return [frame[2 if frame[1] < 126 else 4 :] for frame in frames]


@pytest.mark.parametrize("options", [(), (Packet,)], ids=["none", "our class"])
def test_the_codec_is_the_default(options):
    assert form(*options)[:3] == NATIVE[:3]


@pytest.mark.parametrize(
    ("options", "data", "text"),
    [
        (("default", json), ["v", "\u00e4", float("inf")], [rb'42/n,7["v","\u00e4",Infinity]']),
        (("default", Exact), ["v", decimal.Decimal("1.50")], [b'42/n,7["v","1.50 exactly"]']),
        (("default", json), ["v", [b"x"]], [b'45/n,71-["v",[{"_placeholder":true,"num":0}]]', b"x"]),
        ((Upper,), ["v", {"a": 1}], [b'42/N,7["V",{"A":1}]']),
    ],
    ids=["json", "a module", "binary", "a class"],
)
def test_an_event_is_written_as_its_class_or_module_writes_it(options, data, text):
    wire = form(*options)
    expected = [each.replace(b"45/n,71-", b"451-/n,7") for each in text]
    assert expected == messages(wire.frames("/n", wire.payload(data), ack_id=7))


def test_an_event_of_msgpack_keeps_its_values():
    wire = form("msgpack")
    data = ["v", b"x", 2**63, float("inf"), {1: [None]}, msgpack.ExtType(7, b"y")]
    [message] = messages(wire.frames("/n", wire.payload(data), "offset", 7))
    decoded = msgpack.loads(message, strict_map_key=False)
    assert {"type": 2, "nsp": "/n", "id": 7, "data": [*data, "offset"]} == decoded


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("msgpack",), [{"type": 2, "nsp": "/", "data": ["v", b"x", {"a": 1}]}]),
        (("default", json), [b'451-["v",{"_placeholder":true,"num":0},{"a":1}]', b"x"]),
    ],
    ids=["msgpack", "json"],
)
def test_what_an_emitter_has_stored_is_written_in_the_form_of_the_server(options, expected):
    wire = form(*options)
    got = messages(wire.frames("/", event_payload(["v", b"x", {"a": 1}])))
    assert expected == ([msgpack.loads(each) for each in got] if options == ("msgpack",) else got)


def test_a_node_with_another_form_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="log's format"):
        NATIVE.frames("/", form("msgpack").payload(["v"]))


@pytest.mark.parametrize("options", [("msgpack",), ("default", json), (Upper,)], ids=str)
@pytest.mark.parametrize("value", [object(), {1}, decimal.Decimal(1)], ids=lambda one: type(one).__name__)
def test_a_value_of_a_type_that_the_class_or_module_does_not_know_is_refused(options, value):
    with pytest.raises(TypeError):
        form(*options).payload(["v", value])


def packed(**fields):
    return msgpack.dumps({"type": 2, "nsp": "/", "data": ["v"], **fields})


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


MALFORMED = [
    b"",
    b"\xc1",
    b"2",
    msgpack.dumps([]),
    msgpack.dumps({"type": 2}),
    packed(type=[]),
    packed(type="2"),
    packed(type=True),
    packed(type=7),
    packed(type=4),
    packed(type=5),
    packed(type=1),
    packed(data=None),
    packed(data=[]),
    packed(data={"a": 1}),
    packed(data=[None]),
    packed(data=deep(600)),
    packed(nsp=None, type="x"),
    packed(nsp=7),
    packed(nsp="den"),
    packed(nsp="/a,b"),
    packed(nsp="/" + "n" * 300),
    packed(id=-1),
    packed(id="1"),
    packed(id=10**15),
    packed(id=1.0),
    packed(type=3),
    '2["v"]',
]


@pytest.mark.parametrize("packet", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_packet_of_msgpack_is_refused(packet):
    with pytest.raises(BadPacket):
        form("msgpack").packet_class().decode(packet)


@pytest.mark.parametrize(
    "text",
    ["", "x", "2", '2{"a":1}', "2[", "2[]", '4"x"', '3["no id"]', "1{}", '2/a["x"', '299-["v"]', '9["v"]'],
)
def test_a_malformed_packet_of_another_json_is_refused(text):
    with pytest.raises(BadPacket):
        form("default", json).packet_class().decode(text)


@pytest.mark.parametrize(
    "attachments",
    [[b"x" * 6, b"y" * 6], ["text"], [b"x", b"y", b"z"]],
    ids=["too large", "a text", "too many"],
)
def test_attachments_have_the_limits_of_clients(attachments):
    wire = form("default", json, max_attachments_bytes=10)
    packet = wire.packet_class(
        encoded_packet='52-["v",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    )
    *first, last = attachments
    for attachment in first:
        packet.add_attachment(attachment)
    with pytest.raises(BadPacket):
        packet.add_attachment(last)


def test_too_many_attachments_are_refused_at_the_head():
    with pytest.raises(BadPacket):
        form("default", json, max_attachments=1).packet_class(encoded_packet='52-["v"]')


def test_what_javascript_calls_undefined_is_none():
    undefined = msgpack.ExtType(0, b"\x00")
    packet = form("msgpack").packet_class(
        encoded_packet=packed(data=["v", undefined, msgpack.ExtType(0, b"1234")])
    )
    assert ["v", None, msgpack.ExtType(0, b"1234")] == packet.data


def test_a_configured_class_of_msgpack_keeps_its_hooks():
    configured = MsgPackPacket.configure(dumps_default=str)
    wire = form(configured)
    [message] = messages(wire.frames("/", wire.payload(["v", decimal.Decimal("1.5")])))
    assert ["v", "1.5"] == msgpack.loads(message)["data"]


@pytest.mark.parametrize(
    ("serializer", "module"),
    [("pigeon", None), (None, None), (Packet(), None), ("default", object()), ("default", msgspec.json)],
    ids=["a word", "nothing", "an object", "no module", "a module without dumps"],
)
def test_what_is_no_serializer_or_json_module_is_refused(serializer, module):
    with pytest.raises(ValueError, match=r"serializer: |json: "):
        form(serializer, module)


def test_the_class_that_is_given_is_left_as_it_is():
    before = socketio.packet.Packet.json
    assert Exact is form("default", Exact).packet_class.json
    assert before is socketio.packet.Packet.json
