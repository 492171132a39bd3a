"""The whole of it, small, against our own server: what is counted is what was sent."""

import os
from dataclasses import replace

import pytest

from roomwire_loadtest.bench.__main__ import main
from roomwire_loadtest.bench.measuring import Measuring
from roomwire_loadtest.bench.report.files import write
from roomwire_loadtest.bench.results import Run
from roomwire_loadtest.bench.rows.comparison import ROWS
from roomwire_loadtest.bench.rows.nodes import memory, recoveries
from roomwire_loadtest.bench.rows.rooms import Rooms
from roomwire_loadtest.bench.rows.trial import QUICK, Trial, connect
from roomwire_loadtest.bench.servers.kinds import KINDS, Absent, Kind, started
from roomwire_loadtest.generator.crowd import Crowd
from roomwire_loadtest.generator.dialects import TEXT_BYTES
from roomwire_loadtest.generator.links import Opening, open_links, openings

SMALL = Rooms(name="rooms", clients=20, room_size=10, sampled=1, landmarks=[20.0], lowest=10.0)


@pytest.fixture
def core() -> int:
    return min(os.sched_getaffinity(0))


def test_every_message_reaches_every_member_of_its_room(core):
    with started(KINDS["ours"], core) as running:
        links = connect(running, [f"room-{number // 10}" for number in range(20)])
        crowd = Crowd(links, running.kind.dialect)
        speakers = [(link, running.kind.dialect.chat(f"room-{n // 10}")) for n, link in enumerate(links)]
        burst = crowd.offer(speakers, 10, 50.0, 1.0, grace_s=20.0)
        crowd.close()
    assert (50, 500, 500) == (burst.sent, burst.expected, burst.arrived)
    assert 500 == len(burst.latencies_ns)
    assert 0 == crowd.lost


def test_polling_is_upgraded_and_joins(core):
    with started(KINDS["ours"], core) as running:
        ways = openings(running.ports, running.kind.dialect, ["room"] * 10)
        links = open_links(ways, Opening.polling_then_upgrade, under_way=4)
        crowd = Crowd(links, running.kind.dialect)
        burst = crowd.offer([(links[0], running.kind.dialect.chat("room"))], 10, 10.0, 0.5, grace_s=20.0)
        crowd.close()
    assert (5, 50) == (burst.sent, burst.arrived)


def test_a_row_yields_a_figure_and_its_points(core):
    told: list[str] = []
    found = SMALL.run(Trial(KINDS["ours"], 1, core, QUICK, told.append))
    assert ["rooms"] == [figure.row for figure in found.figures]
    assert [20.0, 20.0] == [point.messages_per_s for point in found.points[:2]]
    assert len(told) == len(found.points)


def test_a_server_that_does_not_start_is_in_the_report_with_its_reason(core, monkeypatch, tmp_path):
    def missing() -> list[str]:
        raise Absent("there is no such thing")

    monkeypatch.setitem(KINDS, "bun", Kind("bun", "Bun", missing, dict))
    run = Measuring(core, QUICK).run(["acks"], ["bun"], 1, quick=True)
    text = write(run, tmp_path, "quick")
    assert "Absent: Bun: there is no such thing" in text
    assert run == Run.load(tmp_path / "quick.json")
    assert 0 == main(["--report", str(tmp_path / "quick.json"), "--output", str(tmp_path / "again")])
    assert text == (tmp_path / "again" / "quick.md").read_text()


def test_what_there_is_no_time_for_is_not_measured(core):
    assert [] == Measuring(core, QUICK, most_s=1e-9).run(["acks"], ["ours"], 1, quick=True).figures


@pytest.mark.parametrize("kind", ["ours-nodes", "stock-nodes", "replaced-nodes"])
def test_nodes_reach_each_other_s_clients_through_their_redis(core, kind):
    with started(KINDS[kind], core) as running:
        assert 2 == len(set(running.ports))
        links = connect(running, ["room"] * 4)
        crowd = Crowd(links, running.kind.dialect)
        burst = crowd.offer([(links[0], running.kind.dialect.chat("room"))], 4, 10.0, 1.0, grace_s=20.0)
        crowd.close()
    assert (10, 40) == (burst.sent, burst.arrived)


def test_all_who_come_back_to_another_node_are_recovered_and_get_what_they_missed(core):
    effort = replace(QUICK, recovered=40)
    (figure,) = recoveries(Trial(KINDS["ours-nodes"], 1, core, effort, print)).figures
    assert ("recoveries", "") == (figure.row, figure.note)
    assert figure.value is not None


def test_a_session_and_a_message_weigh_something_in_redis(core):
    session, message = memory(Trial(KINDS["ours-nodes"], 1, core, replace(QUICK, recovered=5), print)).figures
    assert ("redis-session", "redis-message") == (session.row, message.row)
    assert session.value > 50
    assert message.value > TEXT_BYTES


def test_the_cpu_of_an_operation_stands_beside_the_rate(core):
    effort = replace(QUICK, echo_s=0.5)
    rate, cost = ROWS["nodes-acks"].run(Trial(KINDS["ours-nodes"], 1, core, effort, print)).figures
    assert ("nodes-acks", "cpu-ack") == (rate.row, cost.row)
    assert 1e6 * rate.server_cpu / rate.value == cost.value


def test_every_row_is_for_servers_of_one_kind():
    for row in ROWS.values():
        assert 1 == len({KINDS[name].nodes is None for name in row.servers})


def test_a_server_that_ends_at_once_says_why(core):
    kind = Kind("odd", "Odd", lambda: ["/bin/sh", "-c", "echo no such luck; exit 3"], dict)
    with pytest.raises(Absent, match="ended with 3 at once: no such luck"), started(kind, core):
        pass
