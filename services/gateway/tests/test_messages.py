"""The bodies on the wire: their names, their limits."""

from datetime import UTC, datetime

import msgspec
import pytest

from roomwire_gateway import messages
from roomwire_gateway.messages import (
    MAX_HISTORY,
    MAX_NAME_CHARS,
    MAX_TEXT_CHARS,
    ChatMessage,
    ConnectOptions,
    HistoryQuery,
    JoinRoom,
    LeaveRoom,
    Message,
    PresenceChange,
    RoomMember,
)

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

FITTING = [
    (JoinRoom, {"roomId": "den", "userName": "Ann"}),
    (JoinRoom, {"roomId": "x" * MAX_NAME_CHARS, "userName": "日" * MAX_NAME_CHARS}),
    (LeaveRoom, {"roomId": "den"}),
    (LeaveRoom, {"roomId": "den", "userName": None}),
    (ChatMessage, {"roomId": "den", "message": "hi", "userName": "Ann"}),
    (ChatMessage, {"roomId": "den", "message": "x" * MAX_TEXT_CHARS, "userName": "Ann", "messageId": "1"}),
    (HistoryQuery, {"roomId": "den"}),
    (HistoryQuery, {"roomId": "den", "limit": MAX_HISTORY}),
    (ConnectOptions, {}),
    (ConnectOptions, {"structured": True, "token": "x", "whatever": 1}),
]

UNFITTING = [
    (JoinRoom, {"roomId": "den"}),
    (JoinRoom, {"roomId": "", "userName": "Ann"}),
    (JoinRoom, {"roomId": "den", "userName": ""}),
    (JoinRoom, {"roomId": 1, "userName": "Ann"}),
    (JoinRoom, {"roomId": "x" * (MAX_NAME_CHARS + 1), "userName": "Ann"}),
    (JoinRoom, {"roomId": "den", "userName": "x" * (MAX_NAME_CHARS + 1)}),
    (JoinRoom, {"roomId": "den", "userName": "Ann", "extra": 1}),
    (JoinRoom, {"room_id": "den", "user_name": "Ann"}),
    (LeaveRoom, {}),
    (ChatMessage, {"roomId": "den", "message": "", "userName": "Ann"}),
    (ChatMessage, {"roomId": "den", "message": "x" * (MAX_TEXT_CHARS + 1), "userName": "Ann"}),
    (ChatMessage, {"roomId": "den", "message": "hi", "userName": "Ann", "messageId": "x" * 65}),
    (ChatMessage, {"roomId": "den", "message": "hi", "userName": "Ann", "at": "2030-01-01"}),
    (HistoryQuery, {"roomId": "den", "limit": 0}),
    (HistoryQuery, {"roomId": "den", "limit": MAX_HISTORY + 1}),
    (HistoryQuery, {"roomId": "den", "limit": "5"}),
    (ConnectOptions, {"structured": "yes"}),
]


@pytest.mark.parametrize(("type_", "body"), FITTING, ids=lambda value: getattr(value, "__name__", None))
def test_a_body_that_fits_is_taken(type_, body):
    assert isinstance(msgspec.convert(body, type_), type_)


@pytest.mark.parametrize(("type_", "body"), UNFITTING, ids=lambda value: getattr(value, "__name__", None))
def test_a_body_that_does_not_fit_is_refused(type_, body):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, type_)


def test_a_body_of_an_event_refuses_unknown_fields():
    bodies = [value for value in vars(messages).values() if isinstance(value, type)]
    taken = [body for body in bodies if issubclass(body, messages._Body)]

    assert 5 <= len(taken)
    assert all(body.__struct_config__.forbid_unknown_fields for body in taken)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        pytest.param(
            Message(id="1", room="den", user="Ann", text="hi", at=AT, kind="message"),
            {
                "id": "1",
                "room": "den",
                "user": "Ann",
                "text": "hi",
                "at": "2030-01-02T03:04:05Z",
                "kind": "message",
            },
            id="a message to a room",
        ),
        pytest.param(
            Message(id="1", user="n1.x", text="hi", at=AT),
            {"id": "1", "user": "n1.x", "text": "hi", "at": "2030-01-02T03:04:05Z"},
            id="a message to everybody names no room",
        ),
        pytest.param(
            PresenceChange(room="den", joined=RoomMember("n1.x", "Ann", "n1")),
            {"room": "den", "joined": {"id": "n1.x", "user": "Ann", "gateway": "n1"}},
            id="somebody came",
        ),
        pytest.param(
            PresenceChange(room="den", left="n1.x"), {"room": "den", "left": "n1.x"}, id="somebody went"
        ),
    ],
)
def test_what_is_sent_has_the_promised_shape(value, wire):
    assert wire == msgspec.to_builtins(value)
    assert value == msgspec.json.decode(msgspec.json.encode(value), type=type(value))
