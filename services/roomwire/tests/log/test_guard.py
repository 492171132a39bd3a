"""The guard's marks: a table without a server."""

import pytest

from roomwire.log.guard import GuardConfig, Level, stream_bytes


@pytest.mark.parametrize(
    ("used", "most", "level"),
    [
        (99, 0, Level.AMPLE),
        (69, 100, Level.AMPLE),
        (70, 100, Level.GUESTS_REFUSED),
        (84, 100, Level.GUESTS_REFUSED),
        (85, 100, Level.USERS_REFUSED),
        (95, 100, Level.NEARLY_FULL),
        (120, 100, Level.NEARLY_FULL),
    ],
)
def test_the_level_follows_the_marks_and_without_a_limit_memory_is_ample(used, most, level):
    assert level is GuardConfig().level(used, most)


def test_a_room_stores_less_at_each_level_and_one_message_in_any_case():
    sizes = [stream_bytes(level) for level in Level]

    assert sizes == sorted({*sizes}, reverse=True)
    assert 1 == sizes[-1]
