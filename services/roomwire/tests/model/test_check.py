"""The check itself, on records written by hand: a message deleted, doubled, swapped, invented, ..."""

import pytest

from model import check
from model.record import Era, Message, Record, Stay

CONNECTION = object()
SID = 7


def said(number: int, stamp: int, room: str = "A", **known: object) -> Message:
    message = Message(number, (room,))
    message.stamp = stamp
    message.is_acknowledged = True
    for name, value in known.items():
        setattr(message, name, value)
    return message


def member(*got: tuple[int, int], start: int = 1, joined: int = 5) -> Era:
    era = Era(SID, start)
    era.stays["A"] = [Stay(asked=joined - 1, joined=joined)]
    era.got = [(number, stamp, CONNECTION) for number, stamp in got]
    return era


def kinds(messages: list[Message], *eras: Era, **found: int) -> list[str]:
    return [violation.kind for violation in check.violations(Record(messages, [list(eras)], **found))]


THREE = [(1, 10), (2, 20), (3, 30)]


@pytest.fixture
def messages() -> list[Message]:
    return [said(number, stamp) for number, stamp in THREE]


def test_a_whole_record_is_without_violation(messages: list[Message]) -> None:
    assert [] == kinds(messages, member(*THREE))


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        pytest.param([(1, 10), (3, 30)], [check.LOST], id="deleted"),
        pytest.param([(1, 10), (2, 20)], [check.LOST], id="the last one deleted"),
        pytest.param([(1, 10), (2, 20), (2, 20), (3, 30)], [check.DOUBLED], id="doubled"),
        pytest.param([(1, 10), (3, 30), (2, 20)], [check.REORDERED], id="swapped"),
        pytest.param([(1, 10), (2, 20), (9, 25), (3, 30)], [check.PHANTOM], id="invented"),
    ],
)
def test_what_was_done_to_a_record_is_named(
    messages: list[Message], got: list[tuple[int, int]], expected: list[str]
) -> None:
    assert expected == kinds(messages, member(*got))


def test_who_was_told_may_have_missed_what_came_after_the_last_one(messages: list[Message]) -> None:
    assert [] == kinds(messages, member((1, 10)), member(start=40))


def test_who_was_told_has_no_gap_before_the_last_one(messages: list[Message]) -> None:
    assert [check.HOLE] == kinds(messages, member((1, 10), (3, 30)), member(start=40))


def test_what_was_said_before_the_join_is_a_phantom() -> None:
    assert [check.PHANTOM] == kinds([said(1, 3)], member((1, 3)))


def test_what_was_said_to_others_is_a_phantom() -> None:
    assert [check.PHANTOM] == kinds([said(1, 10, excluded=SID)], member((1, 10)))


def test_what_redis_forgot_is_told_to_whom_it_was_for() -> None:
    forgotten = said(1, 10, lost_at=15, is_witnessed=True)
    assert [check.UNTOLD] == kinds([forgotten], member())
    assert [] == kinds([forgotten], member(), member(start=40))


def test_what_redis_forgot_is_no_violation_when_nobody_alive_knew_of_it() -> None:
    assert [] == kinds([said(1, 10, lost_at=15)], member())


def test_a_message_is_owed_to_those_who_were_certainly_not_in_a_room_that_it_leaves_out() -> None:
    elsewhere = said(1, 10, except_rooms=("B",))
    assert [check.LOST] == kinds([elsewhere], member())

    may_be_in_b = member()
    may_be_in_b.stays["B"] = [Stay(asked=9)]
    assert [] == kinds([elsewhere], may_be_in_b)


def test_a_message_is_a_phantom_for_those_who_were_certainly_in_a_room_that_it_leaves_out() -> None:
    elsewhere = said(1, 10, except_rooms=("B",))
    for joined, expected in ((9, [check.PHANTOM]), (10, []), (0, [])):
        got = member((1, 10))
        got.stays["B"] = [Stay(asked=8, joined=joined)]
        assert expected == kinds([elsewhere], got)


def volatile(number: int) -> Message:
    return Message(number, ("A",), is_volatile=True)


def test_a_volatile_event_may_be_missing_and_may_come_anywhere_among_the_others(
    messages: list[Message],
) -> None:
    assert [] == kinds([*messages, volatile(4)], member(*THREE))
    assert [] == kinds([*messages, volatile(4)], member((1, 10), (2, 20), (4, 15), (3, 30)))


def test_a_volatile_event_comes_once_also_over_sessions_and_to_members_alone() -> None:
    assert [check.DOUBLED] == kinds([volatile(4)], member((4, 10), (4, 10)))
    assert [check.DOUBLED] == kinds([volatile(4)], member((4, 10)), member((4, 10), start=3))
    assert [check.PHANTOM] == kinds([volatile(4)], member((4, 3)))


def test_an_event_that_stays_on_one_gateway_is_stale_on_another_connection() -> None:
    assert [check.STALE] == kinds([said(1, 0, connection=object())], member((1, 10)))
    assert [] == kinds([said(1, 0, connection=CONNECTION)], member((1, 10)))


def test_an_acknowledgement_without_an_entry_is_hollow() -> None:
    assert [check.HOLLOW] == kinds([said(1, 0)], member())


def test_an_entry_of_which_it_was_said_that_it_would_never_be_there_is_denied() -> None:
    refused = said(1, 10, is_refused=True, turn=("gateway", 1))
    assert [check.DENIED] == kinds([refused], member((1, 10)))
    refused.turn = None
    assert [] == kinds([refused], member((1, 10)))


def test_a_publisher_whose_messages_changed_places_is_shuffled() -> None:
    first, second = said(1, 20, "B", turn=("gateway", 1)), said(2, 10, "B", turn=("gateway", 2))
    assert [check.SHUFFLED] == kinds([first, second], member())


def test_a_refusal_without_excuse_and_a_client_left_behind_count() -> None:
    assert [check.STUCK, check.REFUSED] == kinds([], member(), stuck=1, unexcused_refusals=1)


def test_every_kind_of_violation_has_a_sentence() -> None:
    named = {getattr(check, name) for name in dir(check) if name.isupper() and name != "KINDS"}
    assert named == set(check.KINDS)
