"""Offsets as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.positions import Epoch, Offset, Position, parse_offset


@given(epoch=st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True), position=st.integers(0, 10**15))
def test_an_offset_is_read_as_it_was_written(epoch, position):
    offset = Offset(Epoch(epoch), Position(position))

    assert offset == parse_offset(str(offset))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zzz",
        "a",
        "a.",
        ".1",
        "a.-1",
        "a.1.2",
        "a.01",
        "a.1\n",
        "a b.1",
        "a.1e3",
        "a.٣",
        "a" * 33 + ".1",
        "a.1" + "0" * 16,
    ],
)
def test_what_is_no_offset_is_none(text):
    assert parse_offset(text) is None
