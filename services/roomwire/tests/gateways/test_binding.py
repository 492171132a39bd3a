"""Which parameter gets what, and what is refused with which sentence."""

import inspect
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.errors import InvalidBody
from roomwire.gateways.binding import Binding, Key, subscribe, subscribed_event
from roomwire.identity.tokens import User

ANN = User(id="account:1", name="Ann", kind="account")


class FakeSocket:
    user = ANN


SOCKET = FakeSocket()


class Place(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    room_id: str
    seat_number: int = 0


class Tour(msgspec.Struct):
    name: str
    places: list[Place]
    guide: Place | None = None


def bind(handler, *body):
    return Binding(handler, socket_type=FakeSocket).arguments(SOCKET, body)


def nothing(): ...
def socket_only(socket: FakeSocket): ...
def user_only(who: User): ...
def one(text: str): ...
def two(first: str, second: int): ...
def mixed(first: str, socket: FakeSocket, second: int, user: User): ...
def defaulted(first: str, second: int = 7): ...
def keyword_only(*, first: str, socket: FakeSocket): ...
def struct(place: Place): ...
def tour(tour: Tour): ...
def key(room: Annotated[str, Key("roomId")]): ...
def keys(room: Annotated[str, Key("roomId")], seat: Annotated[int, Key("seatNumber")] = 3): ...
def key_and_body(room: Annotated[str, Key("roomId")], place: Place): ...
def bounded_key(room: Annotated[Annotated[str, msgspec.Meta(min_length=2)], Key("roomId")]): ...
def raw(data: bytes): ...
def anything(data: Any): ...
def optional(text: str | None): ...
def listed(numbers: list[int]): ...
def mapped(ages: dict[str, int]): ...


BOUND = [
    pytest.param(nothing, [], {}, id="no parameters"),
    pytest.param(nothing, ["ignored"], {}, id="arguments that nobody wants"),
    pytest.param(socket_only, [], {"socket": SOCKET}, id="the socket"),
    pytest.param(user_only, ["x"], {"who": ANN}, id="the user"),
    pytest.param(one, ["hi"], {"text": "hi"}, id="one argument"),
    pytest.param(two, ["hi", 1], {"first": "hi", "second": 1}, id="two arguments"),
    pytest.param(
        mixed,
        ["hi", 1],
        {"first": "hi", "second": 1, "socket": SOCKET, "user": ANN},
        id="only what comes from the body is counted",
    ),
    pytest.param(defaulted, ["hi"], {"first": "hi", "second": 7}, id="a default"),
    pytest.param(defaulted, ["hi", 1], {"first": "hi", "second": 1}, id="a default that is not needed"),
    pytest.param(keyword_only, ["hi"], {"first": "hi", "socket": SOCKET}, id="keyword-only"),
    pytest.param(struct, [{"roomId": "den"}], {"place": Place("den")}, id="a struct"),
    pytest.param(key, [{"roomId": "den", "more": 1}], {"room": "den"}, id="one key of the body"),
    pytest.param(keys, [{"roomId": "den"}], {"room": "den", "seat": 3}, id="a key with a default"),
    pytest.param(keys, [{"roomId": "den", "seatNumber": 4}], {"room": "den", "seat": 4}, id="several keys"),
    pytest.param(
        key_and_body,
        [{"roomId": "den"}],
        {"room": "den", "place": Place("den")},
        id="a key and the whole body",
    ),
    pytest.param(raw, [b"\x00\xff"], {"data": b"\x00\xff"}, id="bytes pass through"),
    pytest.param(anything, [{"a": [1, b"x"]}], {"data": {"a": [1, b"x"]}}, id="anything"),
    pytest.param(optional, [None], {"text": None}, id="null where it is allowed"),
]


@pytest.mark.parametrize(("handler", "body", "expected"), BOUND)
def test_a_parameter_gets_its_value_by_its_type(handler, body, expected):
    assert expected == bind(handler, *body)


REFUSED = [
    pytest.param(one, [], "Missing argument 1: `text`.", id="nothing"),
    pytest.param(two, ["hi"], "Missing argument 2: `second`.", id="too little"),
    pytest.param(one, [1], "text: Expected `str`, got `int`.", id="the wrong type"),
    pytest.param(two, ["hi", "1"], "second: Expected `int`, got `str`.", id="no number for a text"),
    pytest.param(two, ["hi", True], "second: Expected `int`, got `bool`.", id="no number for a boolean"),
    pytest.param(one, [None], "text: Expected `str`, got `null`.", id="null"),
    pytest.param(struct, ["den"], "place: Expected `object`, got `str`.", id="a text for a struct"),
    pytest.param(struct, [{}], "Object missing required field `roomId`.", id="a missing field"),
    pytest.param(
        struct, [{"roomId": "den", "extra": 1}], "Object contains unknown field `extra`.", id="unknown field"
    ),
    pytest.param(struct, [{"roomId": 1}], "roomId: Expected `str`, got `int`.", id="a field"),
    pytest.param(
        tour,
        [{"name": "x", "places": [], "guide": {"roomId": "a", "seatNumber": "b"}}],
        "guide.seatNumber: Expected `int`, got `str`.",
        id="a field of a field",
    ),
    pytest.param(listed, [[1, "2"]], "[1]: Expected `int`, got `str`.", id="an item of a list"),
    pytest.param(
        tour,
        [{"name": "x", "places": [{"roomId": "a"}, {"roomId": 2}]}],
        "places[1].roomId: Expected `str`, got `int`.",
        id="a field of an item",
    ),
    pytest.param(mapped, [{"ann": "x"}], "[...]: Expected `int`, got `str`.", id="a value of an object"),
    pytest.param(key, [], "Object missing required field `roomId`.", id="no body for a key"),
    pytest.param(key, [{}], "Object missing required field `roomId`.", id="a missing key"),
    pytest.param(key, ["den"], "Expected an object with the field `roomId`.", id="a text for a key"),
    pytest.param(key, [{"roomId": 1}], "roomId: Expected `str`, got `int`.", id="a key of the wrong type"),
    pytest.param(
        keys,
        [{"roomId": "den", "seatNumber": "x"}],
        "seatNumber: Expected `int`, got `str`.",
        id="a wrong key is no missing key",
    ),
    pytest.param(
        bounded_key, [{"roomId": "x"}], "roomId: Expected `str` of length >= 2.", id="a key's constraints"
    ),
    pytest.param(one, ["\ud800"], "text: A text is not valid Unicode.", id="a lone surrogate"),
    pytest.param(
        anything, [{"a": ["\udfff"]}], "data: A text is not valid Unicode.", id="a surrogate inside"
    ),
]


@pytest.mark.parametrize(("handler", "body", "sentence"), REFUSED)
def test_a_body_that_does_not_fit_is_refused_with_its_field(handler, body, sentence):
    with pytest.raises(InvalidBody) as raised:
        bind(handler, *body)

    assert sentence == raised.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(body=st.lists(JSON, max_size=3))
@pytest.mark.parametrize("handler", [two, struct, tour, keys, key_and_body, raw, listed])
def test_whatever_is_sent_is_bound_or_refused(handler, body):
    try:
        arguments = bind(handler, *body)
    except InvalidBody as error:
        assert error.message.endswith(".")  # noqa: PT017 - either is right
    else:
        assert set(inspect.signature(handler).parameters) == set(arguments)


def unannotated(text): ...
def variable(*texts: str): ...
def keywords(**texts: str): ...
def positional(text: str, /): ...
def unresolved(text: "NoSuchType"): ...  # noqa: F821


@pytest.mark.parametrize(
    ("handler", "error", "sentence"),
    [
        pytest.param(unannotated, TypeError, "'text' has no annotation", id="no annotation"),
        pytest.param(variable, TypeError, "'texts' must not be positional-only or variadic", id="variable"),
        pytest.param(
            keywords, TypeError, "'texts' must not be positional-only or variadic", id="variable keywords"
        ),
        pytest.param(
            positional, TypeError, "'text' must not be positional-only or variadic", id="positional-only"
        ),
        pytest.param(unresolved, NameError, "NoSuchType", id="an annotation without meaning"),
    ],
)
def test_a_parameter_that_cannot_be_bound_is_a_mistake_at_construction(handler, error, sentence):
    with pytest.raises(error, match=sentence):
        Binding(handler, socket_type=FakeSocket)


def test_subscribing_marks_the_handler_with_its_event():
    assert "knock" == subscribed_event(subscribe("knock")(lambda: None))
    assert subscribed_event(lambda: None) is None


@pytest.mark.parametrize("event", ["connect", "disconnect", "connect_error"])
def test_the_events_of_socket_io_itself_are_hooks_and_cannot_be_subscribed_to(event):
    with pytest.raises(ValueError, match="on_connection"):
        subscribe(event)
