"""Ids of sessions: what is public of them, and what is not."""

import re

from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.sessions import is_sid, new_pid, sid_of


def test_a_private_id_has_a_hundred_and_twenty_random_bits():
    pids = {new_pid() for _ in range(1_000)}

    assert 1_000 == len(pids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", pid) for pid in pids)


def test_a_public_id_follows_from_the_private_one_and_has_its_form():
    for pid in [new_pid() for _ in range(1_000)]:
        sid = sid_of(pid)
        assert sid == sid_of(pid)
        assert is_sid(sid)
        assert not is_sid(pid)
        assert re.fullmatch(r"[A-Za-z0-9_-]{20}", sid)


@given(st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9_-]{20}", fullmatch=True))
def test_no_room_name_that_somebody_thinks_of_has_the_form_of_an_id(name):
    assert not is_sid(name)


@given(st.integers(0, 19))
def test_an_id_with_another_character_is_none(place):
    sid = sid_of(new_pid())
    other = "A" if sid[place] != "A" else "B"
    assert not is_sid(sid[:place] + other + sid[place + 1 :])
