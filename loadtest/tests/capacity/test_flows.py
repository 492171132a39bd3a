"""What a workload comes to, counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire_loadtest.capacity.planning.flows import Flows, kept
from roomwire_loadtest.capacity.planning.sizes import Fixed
from roomwire_loadtest.capacity.planning.workload import Giant, Rooms, Workload

CALM = Workload(
    title="t",
    connections=1_000,
    rooms=Rooms(sizes=Fixed(10), of_each_client=2, announces=False),
    messages_per_client_s=0.1,
    text_bytes=1_024,
    stay_s=100,
)


def changed(**changes):
    return Workload(**{name: getattr(CALM, name) for name in CALM.__struct_fields__} | changes)


def test_what_clients_say_is_delivered_to_all_of_a_room():
    flows = Flows(CALM)
    assert [100.0, 1_000.0] == pytest.approx([flows.messages_per_s, flows.deliveries_per_s])
    assert [10.0, 20.0, 2_000.0] == pytest.approx([flows.comes_per_s, flows.joins_per_s, flows.memberships])


def test_what_is_said_in_rooms_is_said_in_each():
    assert 100.0 + 200 * 3 == pytest.approx(Flows(changed(messages_per_room_s=3.0)).messages_per_s)


def test_who_comes_is_announced_to_the_whole_room_where_it_is():
    rooms = Rooms(sizes=Fixed(10), of_each_client=2)
    assert 1_000 + 20 * 10 == pytest.approx(Flows(changed(rooms=rooms)).deliveries_per_s)


@pytest.mark.parametrize(("announces", "deliveries"), [(False, 500.0), (True, 500.0 + 500 * 500 / 100)])
def test_announcements_in_a_giant_room_cost_the_square_of_its_size(announces, deliveries):
    giant = Giant(size=500, messages_per_s=1, announces=announces)
    flows = Flows(changed(giants=(giant,), messages_per_client_s=0.0))
    assert deliveries == pytest.approx(flows.deliveries_per_s)


def test_a_room_is_heard_once_by_each_gateway_that_has_a_member():
    assert 100.0 == pytest.approx(Flows(CALM).heard_per_s(1))
    assert 100.0 * 10 == pytest.approx(Flows(CALM).heard_per_s(1e6), rel=1e-3)


def test_work_is_shared_by_gateways_and_pings_follow_from_their_interval():
    work = Flows(CALM).gateway_work(4, of_a_log=4)
    assert 1_000 / 25 / 4 == pytest.approx(work["pings"])
    assert 1_000 / 4 == pytest.approx(work["deliveries"])
    assert 1_000 / 4 == pytest.approx(work["delivered_kib"])


def test_who_polls_comes_by_polling_and_asks_for_what_others_are_sent():
    work = Flows(changed(polling_share=0.5, upgrade_share=0.0)).gateway_work(1, of_a_log=1)
    assert [5.0, 0.5 * (1_000 + 100 + 2 * 40)] == pytest.approx([work["upgrades"], work["requests"]])


def test_reading_the_list_of_gateways_grows_with_their_square():
    few, many = (Flows(CALM).redis_work(1, gateways=count)["registered"] for count in (10, 100))
    assert 100 == pytest.approx(many / few)


@pytest.mark.parametrize(
    ("per_s", "ttl_s", "at_most", "expected"),
    [(0.0, 100, 10, 0.0), (1e-9, 100, 10, 1e-7), (1.0, 1e9, 10, 10.0), (0.00693147, 100, 10**6, 1.0)],
)
def test_a_stream_holds_what_came_before_it_fell_silent(per_s, ttl_s, at_most, expected):
    assert expected == pytest.approx(kept(per_s, ttl_s=ttl_s, at_most=at_most), rel=1e-3, abs=1e-12)


@given(st.floats(0, 100), st.floats(1, 1e5), st.integers(1, 1_000), st.floats(1, 3))
def test_who_says_more_never_has_less_kept(per_s, ttl_s, at_most, more):
    less = kept(per_s, ttl_s=ttl_s, at_most=at_most)
    assert less <= kept(per_s * more, ttl_s=ttl_s, at_most=at_most) * (1 + 1e-9)
    assert less <= at_most
