"""Lines about refused clients: one for each reason, and not one for each client."""

from roomwire.serving.http_refusals import HttpRefusal
from roomwire.serving.refusal_log import PAUSE_S, RefusalLog


def test_a_reason_has_a_line_and_then_none_until_the_pause_is_over_which_says_how_many_there_were(log_lines):
    now = [0.0]
    log = RefusalLog(clock=lambda: now[0])
    for number in range(1_000):
        log.note(HttpRefusal.HEADER_BYTES, f"192.0.2.{number % 250}")
    log.note(HttpRefusal.MALFORMED, "192.0.2.1")
    now[0] += PAUSE_S
    log.note(HttpRefusal.HEADER_BYTES, "192.0.2.7")

    assert [
        ("header_bytes", "192.0.2.0", 1),
        ("malformed", "192.0.2.1", 1),
        ("header_bytes", "192.0.2.7", 1_000),
    ] == [(line["reason"], line["address"], line["number"]) for line in log_lines()]
