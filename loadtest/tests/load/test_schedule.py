"""The schedule is open: what is due does not depend on what was served."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from roomwire_loadtest.load.scenarios import SCENARIOS
from roomwire_loadtest.load.schedule import due_times


@given(st.floats(0.01, 50), st.floats(0, 0.99), st.floats(0.1, 60))
def test_times_are_evenly_spaced_and_within_the_run(rate_hz, phase, length_s):
    times = list(due_times(1000.0, rate_hz=rate_hz, phase=phase, end_s=1000.0 + length_s))
    assert all(1000.0 <= time < 1000.0 + length_s for time in times)
    assert abs(len(times) - (length_s * rate_hz - phase)) <= 1
    assert all(abs(b - a - 1 / rate_hz) < 1e-6 for a, b in itertools.pairwise(times))


def test_who_says_nothing_has_nothing_due():
    assert [] == list(due_times(0.0, rate_hz=0, phase=0.0, end_s=10.0))


def test_rooms_have_the_size_of_their_scenario():
    rooms = [SCENARIOS["chatter"].room_of(user) for user in range(30)]
    assert [10, 10, 10] == [rooms.count(room) for room in dict.fromkeys(rooms)]
    assert 1 == len({SCENARIOS["big-room"].room_of(user) for user in range(30)})
