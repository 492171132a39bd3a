"""The rooms that one client opens."""

from roomwire.limits.new_rooms import NEW_ROOMS_WINDOW_S, NewRooms


def test_a_room_counts_once_within_a_window_and_one_too_many_is_not_counted():
    rooms = NewRooms(2)

    assert [False, False, False, True, False] == [rooms.is_exceeded(room, 1.0) for room in "aabcb"]
    assert not rooms.is_exceeded("c", 1.0 + NEW_ROOMS_WINDOW_S)


def test_without_a_limit_nothing_is_counted():
    rooms = NewRooms(0)

    assert not any(rooms.is_exceeded(room, 1.0) for room in range(10))
