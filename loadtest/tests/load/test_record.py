"""What is kept of a run is read again as it was, and shown with its counts, times, verdict and picture."""

import msgspec
import pytest
from records import KEPT

from roomwire_loadtest.load.record import Record, report
from roomwire_loadtest.load.timeline import Second

RECORD = msgspec.structs.replace(
    KEPT,
    scenario="rollout",
    outcome="BROKEN",
    broken=["lost: 3, 0 allowed"],
    url="https://chat.example",
    failures=["login: guest: HTTP 404, 5 times"],
    measured={
        "lost": 3,
        "doubled": 0,
        "reordered": 0,
        "phantom": 0,
        "hole": 0,
        "refused_connects": 2,
        "delivery_p50_ms": 4.4,
        "delivery_p99_ms": 20.0,
    },
    connections={"websocket": 1_200, "polling": 3},
    refreshed=7,
    renewed=5,
    recovered=200,
    exchanged=["gateway-1: process 1 became 2"],
    faults_s=[(18.0, 22.0)],
    timeline=[Second(10, 5, 1.0, 2.0), Second(9, 0, None, None)],
)


@pytest.mark.parametrize(
    "line",
    [
        "# A title: BROKEN",
        "2026-01-02T03:04:05+00:00, scenario `rollout`, 1,000 users, 60 s, at https://chat.example.",
        "| 3 | 0 | 0 | 0 | 0 |",
        "| - | - | - | - | 2 | - | - |",
        "- login: guest: HTTP 404, 5 times",
        "| delivery | 4 | 20 |",
        "| ack | not measured | not measured |",
        "- lost: 3, 0 allowed",
        "- gateway-1: process 1 became 2",
        "- CPU: a processor",
    ],
)
def test_the_report_has_it(line):
    assert line in report(RECORD).splitlines()


def test_it_is_read_as_it_was_kept_and_drawn_as_both_kinds_of_picture(tmp_path):
    RECORD.save(tmp_path)
    assert RECORD == Record.load(tmp_path / "load.json")
    assert report(RECORD) == (tmp_path / "load.md").read_text("utf-8")
    picture = (tmp_path / "load.svg").read_text("utf-8")
    # Latency, deliveries and connections have an axis each.
    assert [f"axes_{number}" in picture for number in range(1, 5)] == [True, True, True, False]
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")
