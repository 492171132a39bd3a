"""The decision whether to read a client: a table."""

import pytest

from roomwire.server.backlog import PATIENCE, Backlog, Verdict

READ, PAUSE, CLOSE = Verdict


@pytest.mark.parametrize(
    ("held", "is_paused", "awaits_ack", "verdict"),
    [
        (1_000, False, False, READ),
        (1_001, False, False, PAUSE),
        (501, True, False, PAUSE),
        (500, True, False, READ),
        (501, False, False, READ),
        (1_001, True, True, READ),
        (1_000 * PATIENCE, False, True, READ),
        (1_000 * PATIENCE + 1, False, True, CLOSE),
        (1_000 * PATIENCE + 1, True, False, PAUSE),
    ],
)
def test_reading_pauses_beyond_the_bound_resumes_at_half_and_goes_on_while_an_ack_is_awaited(
    held, is_paused, awaits_ack, verdict
):
    backlog = Backlog(1_000)
    backlog.held_bytes = held
    assert verdict is backlog.judge(is_paused=is_paused, awaits_ack=awaits_ack)
