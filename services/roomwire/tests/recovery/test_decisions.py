"""Decisions about recovery: tables, and times that are passed in."""

import pytest

from roomwire.identity.tokens import User
from roomwire.log.entries import Entry, Message
from roomwire.log.intervals import Interval
from roomwire.log.positions import Epoch, Position
from roomwire.log.reading import Outcome, Range, Reading
from roomwire.log.sessions import Claimed, Tenure, new_pid, sid_of
from roomwire.log.streams import namespace_stream, room_stream, sid_stream
from roomwire.protocol.frames import message_of
from roomwire.protocol.payloads import event_payload
from roomwire.recovery.decisions import (
    RecoveryLimits,
    RecoveryRequest,
    Refusal,
    missed_entries,
    recovery_request_of,
    replay_frames,
    subject_of,
)

PID = new_pid()
SID = sid_of(PID)
BROWSER = {"HTTP_USER_AGENT": "Mozilla/5.0"}
RED, BLUE = room_stream("/", "red"), room_stream("/", "blue")


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, RecoveryRequest(None, None, None, is_offered=True)),
        ({}, RecoveryRequest(None, None, {}, is_offered=True)),
        ({"token": "x"}, RecoveryRequest(None, None, {"token": "x"}, is_offered=True)),
        ({"pid": PID, "offset": "e.1"}, RecoveryRequest(PID, "e.1", None, is_offered=True)),
        ({"pid": PID, "token": "x"}, RecoveryRequest(PID, None, {"token": "x"}, is_offered=True)),
        ({"pid": PID, "offset": 7}, RecoveryRequest(PID, None, None, is_offered=True)),
        ({"pid": PID, "recovery": False}, RecoveryRequest(None, None, None, is_offered=False)),
        ({"recovery": False, "a": 1}, RecoveryRequest(None, None, {"a": 1}, is_offered=False)),
        # The application's own, that happen to have these names.
        ({"pid": 17, "offset": 3}, RecoveryRequest(None, None, {"pid": 17, "offset": 3}, is_offered=True)),
    ],
)
def test_what_a_client_asks_for_is_ours_and_the_rest_is_the_applications(auth, expected):
    assert expected == recovery_request_of(auth, BROWSER)


def test_where_the_server_does_not_offer_it_no_client_is_offered_any():
    request = recovery_request_of({"recovery": True, "pid": PID, "offset": "e.1"}, BROWSER, may_recover=False)
    assert (None, False) == (request.pid, request.is_offered)


def entry(stream, position, text, **options):
    message = Message(event_payload(["n", text]), **options)
    return Entry(stream, Position(position), message)


def reading(stream, *entries, outcome=Outcome.COMPLETE):
    return Reading(Range(stream, Position(0), Position(100)), outcome, entries, Position(0))


CLAIMED = Claimed(
    tenure=Tenure(SID, 2),
    position=Position(90),
    start=Position(0),
    born=Epoch("e"),
    known=Position(0),
    data=b"",
    rooms={RED: (Interval(Position(10), None),)},
    ends={},
)


def test_what_is_owed_is_in_the_order_of_the_log_and_for_this_client_only():
    everybody = namespace_stream("/")
    readings = [
        reading(RED, entry(RED, 12, "b"), entry(RED, 15, "e")),
        reading(
            everybody,
            entry(everybody, 11, "a"),
            entry(everybody, 13, "c", rooms=(RED, BLUE)),
            entry(everybody, 16, "not in blue", rooms=(BLUE,)),
            entry(everybody, 17, "skipped", skip_sids=(SID,)),
        ),
        reading(sid_stream(SID), entry(sid_stream(SID), 14, "d")),
    ]
    entries = missed_entries(readings, CLAIMED, RecoveryLimits())
    frames = [message_of(frame) for frame in replay_frames(entries, "/", Epoch("e"))]
    assert [f'42["n","{text}","e.{place}"]' for text, place in zip("abcde", range(11, 16), strict=True)] == [
        frame.removeprefix("4") if not frame.startswith("42") else frame for frame in frames
    ]


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.COMPLETE])
def test_what_cannot_be_told_in_full_is_not_told_at_all(outcome):
    readings = [reading(RED, entry(RED, 12, "b")), reading(BLUE, outcome=outcome)]
    expected = Refusal.TOO_MUCH if outcome is Outcome.TOO_MUCH else Refusal.INCOMPLETE
    assert expected is missed_entries(readings, CLAIMED, RecoveryLimits())


@pytest.mark.parametrize("limits", [RecoveryLimits(max_entries=1), RecoveryLimits(max_bytes=10)])
def test_a_replay_is_bounded_over_all_streams(limits):
    readings = [
        reading(RED, entry(RED, 12, "b")),
        reading(sid_stream(SID), entry(sid_stream(SID), 14, "d")),
    ]
    assert Refusal.TOO_MUCH is missed_entries(readings, CLAIMED, limits)


@pytest.mark.parametrize(
    ("kind", "id_", "expected"),
    [
        ("account", "account:1", "account:1"),
        ("guest", "guest:1", "guest:1"),
        ("service", "client:shop", "client:shop"),
        ("anonymous", "anonymous:1", ""),
        # Another provider's.
        ("account", "auth0|1", "auth0|1"),
        ("guest", "auth0|1", "guest auth0|1"),
        ("account", "guest:1", "account guest:1"),
        ("service", "guest:1", "service guest:1"),
    ],
)
def test_no_two_kinds_of_users_share_sessions(kind, id_, expected):
    assert expected == subject_of(User(id_, "Ann", kind))
