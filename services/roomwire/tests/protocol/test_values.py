"""What is said to clients, as JSON has it: binary taken out, of whatever it is in; what cannot be sent is refused."""

import array
import collections
import dataclasses
import enum
import functools
import json
import math
import typing

import msgspec
import numpy as np
import pytest

from roomwire.errors import NestedTooDeeply
from roomwire.protocol.codec import Packet, ack_frames, event_frames
from roomwire.protocol.frames import message_of
from roomwire.protocol.payloads import event_payload, payload_frames
from roomwire.protocol.values import MAX_LEVELS, encode, has_binary, parted


@dataclasses.dataclass
class Photo:
    name: str
    data: typing.Any


class Album(msgspec.Struct):
    photos: list[Photo]
    cover: typing.Any = None


class Level(enum.IntEnum):
    LOW = 1


class Named(typing.NamedTuple):
    data: bytes


HOLDERS = [
    pytest.param(lambda data: data, id="alone"),
    pytest.param(lambda data: [data], id="in a list"),
    pytest.param(lambda data: {"k": data}, id="in a dict"),
    pytest.param(lambda data: [(1, (data,))], id="in a tuple in a tuple"),
    pytest.param(lambda data: [Named(data)], id="in a named tuple"),
    pytest.param(lambda data: Photo("a", data), id="in a dataclass"),
    pytest.param(lambda data: Album([Photo("a", 1)], data), id="in a struct"),
    pytest.param(lambda data: {"k": [Album([Photo("a", data)])]}, id="in a struct in a struct"),
    pytest.param(lambda data: collections.OrderedDict(k=data), id="in an ordered dict"),
    pytest.param(lambda data: collections.defaultdict(list, k=[data]), id="in a defaultdict"),
    pytest.param(lambda data: {1: data, None: 2}, id="under keys that are no texts"),
]
BINARY = [
    pytest.param(b"x", id="bytes"),
    pytest.param(bytearray(b"x"), id="a bytearray"),
    pytest.param(memoryview(b"x"), id="a memoryview"),
    pytest.param(memoryview(b"x_y_")[::4], id="a memoryview with a step"),
    pytest.param(np.bytes_(b"x"), id="bytes of a class of their own"),
]


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("data", BINARY)
def test_binary_is_an_attachment_wherever_it_is_and_however_it_goes(hold, data):
    value = hold(data)
    assert has_binary(value)
    frames = {
        "event": event_frames("/", ["x", value]),
        "ack": ack_frames("/", ["x", value], 7),
        "log": payload_frames("/", event_payload(["x", value])),
        "log, with an offset": payload_frames("/", event_payload(["x", value]), "e.1"),
    }
    for head, attachment in ([message_of(frame) for frame in each] for each in frames.values()):
        assert '{"_placeholder":true,"num":0}' in head
        assert "eA==" not in head
        assert b"x" == attachment
    assert message_of(frames["event"][0]).startswith("451-[")
    assert message_of(frames["ack"][0]).startswith("461-7[")


def test_binary_in_a_set_is_an_attachment():
    assert ([{"_placeholder": True, "num": 0}], [b"x"]) == parted({b"x"})
    assert ([{"_placeholder": True, "num": 0}], [b"x"]) == parted(frozenset({b"x"}))


def test_attachments_keep_their_order():
    value = [b"0", {"a": (b"1", Photo("p", b"2"))}, b"3"]
    assert [b"0", b"1", b"2", b"3"] == parted(value)[1]


def nested(levels, value, hold):
    return functools.reduce(lambda inner, _: hold(inner), range(levels), value)


SENT = [
    pytest.param(lambda value: event_payload(["x", value]), id="by the log"),
    pytest.param(lambda value: event_frames("/", ["x", value]), id="past the log"),
    pytest.param(lambda value: ack_frames("/", ["x", value], 7), id="in an ack"),
    pytest.param(lambda value: Packet(data=["x", value]).encode(), id="in a packet"),
]


@pytest.mark.parametrize(
    "hold", [lambda value: [value], lambda value: {"k": value}], ids=["lists", "objects"]
)
@pytest.mark.parametrize("value", [None, b"x", Level.LOW], ids=["plain", "binary", "no plain one"])
@pytest.mark.parametrize("send", SENT)
def test_a_value_is_sent_up_to_a_depth_and_refused_beyond_it_whatever_python_could_do(send, value, hold):
    assert send(nested(MAX_LEVELS, value, hold))

    with pytest.raises(NestedTooDeeply):
        send(nested(MAX_LEVELS + 1, value, hold))


@pytest.mark.parametrize("value", [None, b"x"], ids=["plain", "binary"])
@pytest.mark.parametrize("send", SENT)
def test_a_value_that_contains_itself_is_refused(send, value):
    endless = [value]
    endless.append(endless)
    with pytest.raises(NestedTooDeeply):
        send(endless)


@pytest.mark.parametrize(
    "value", [{b"k": 1}, {memoryview(b"k"): 1}, [{"a": {b"k": b"v"}}]], ids=["bytes", "a memoryview", "deep"]
)
def test_binary_as_the_key_of_an_object_is_refused(value):
    with pytest.raises(TypeError):
        event_payload(["x", value])


class Number(int):
    def __str__(self) -> str:
        return "a number"


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "loud"


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.float64(1.5), id="a float of numpy's"),
        pytest.param(np.float64(-0.0), id="minus nothing"),
        pytest.param(np.str_("x"), id="a text of numpy's"),
        pytest.param({np.float64(1.5): 1}, id="a float of numpy's as a key"),
        pytest.param({np.str_("k"): [np.float64(2.5)]}, id="deep"),
        pytest.param(Number(3), id="a kind of int"),
        pytest.param(Loud("x"), id="a kind of text"),
        pytest.param({Number(3): Loud("x"), np.str_("k"): 1}, id="kinds of keys"),
        pytest.param([Level.LOW, Colour.RED], id="enumerations that are numbers and texts"),
        pytest.param({Level.LOW: 1, Colour.RED: 2}, id="such as keys"),
        pytest.param(collections.OrderedDict(a=1), id="an ordered dict"),
        pytest.param(collections.defaultdict(list, a=[1]), id="a defaultdict"),
        pytest.param(collections.Counter("aab"), id="a counter"),
        pytest.param({True: 1, None: 2}, id="keys that are names of JSON"),
        pytest.param(2**70, id="a large number"),
    ],
)
def test_what_json_knows_is_sent_as_json_has_it(value):
    assert json.dumps(["x", value], separators=(",", ":")).encode() == event_payload(["x", value])
    # And in what has to be looked into for binary.
    assert json.dumps(["x", [value]], separators=(",", ":")).encode() == encode(parted(["x", (value,)])[0])


@pytest.mark.parametrize("value", [np.float64("nan"), math.nan, math.inf, np.float64("-inf")], ids=str)
def test_what_is_no_number_is_null_as_in_javascript(value):
    assert b'["x",null]' == event_payload(["x", value])
    assert b'["x",[null,"\\ud800"]]' == event_payload(["x", [value, "\ud800"]])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(object(), id="an object"),
        pytest.param(ValueError("x"), id="an exception"),
        pytest.param(np.int64(7), id="an int of numpy's, which is no int"),
        pytest.param(np.bool_(1), id="a bool of numpy's"),
        pytest.param(np.array([1, 2]), id="an array of numpy's"),
        pytest.param(array.array("b", b"x"), id="an array"),
        pytest.param(collections.deque([1]), id="a deque"),
        pytest.param(range(2), id="a range"),
        pytest.param(iter([1]), id="an iterator"),
        pytest.param(1j, id="a complex number"),
        pytest.param({(1, 2): 3}, id="a key that is a tuple"),
        pytest.param({Photo: 1}, id="a key that is a class"),
    ],
)
def test_what_neither_json_nor_msgspec_knows_is_refused_as_by_json(value):
    for wrapped in (value, [value], {"k": [value]}, ("\ud800", value)):
        with pytest.raises(TypeError):
            json.dumps(wrapped)
        with pytest.raises(TypeError):
            event_payload(["x", wrapped])
        with pytest.raises(TypeError):
            ack_frames("/", [wrapped], 1)


def test_what_is_encoded_already_goes_as_it_is():
    assert b'["x",{"a":[1]}]' == event_payload(["x", msgspec.Raw(b'{"a":[1]}')])


def test_half_a_surrogate_pair_beside_what_json_does_not_know_is_sent_with_it():
    assert b'["x","\\ud800",{"name":"a","data":1}]' == event_payload(["x", "\ud800", Photo("a", 1)])
