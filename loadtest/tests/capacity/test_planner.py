"""Plans: more work never plans fewer pods, what is asked for is enough, and what breaks first is said first."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import MODEL

from roomwire_loadtest.capacity.planning.flows import Flows
from roomwire_loadtest.capacity.planning.planner import Impossible, plan
from roomwire_loadtest.capacity.planning.sizes import Fixed, LogNormal, Uniform, Zipf
from roomwire_loadtest.capacity.planning.workload import Deployment, Giant, Rooms, Workload

CALM = Workload(
    title="t",
    connections=50_000,
    rooms=Rooms(sizes=Fixed(10), of_each_client=2),
    messages_per_client_s=0.05,
    deployment=Deployment(gateway_memory_mib=8_192, max_return_s=1_000),
)
SIZES = st.sampled_from(
    [Fixed(1), Fixed(50), Uniform(1, 100), Zipf(2.0, 5_000), LogNormal(median=5, p99=200, largest=20_000)]
)
WORKLOADS = st.builds(
    Workload,
    title=st.just("t"),
    connections=st.integers(0, 3_000_000),
    rooms=st.builds(Rooms, sizes=SIZES, of_each_client=st.floats(0, 10), announces=st.booleans()),
    giants=st.lists(
        st.builds(
            Giant,
            size=st.integers(1, 100_000),
            rooms=st.integers(1, 3),
            messages_per_s=st.floats(0, 3),
            announces=st.just(False),
        ),
        max_size=2,
    ).map(tuple),
    messages_per_client_s=st.floats(0, 0.5),
    messages_per_room_s=st.floats(0, 0.1),
    text_bytes=st.integers(1, 10_000),
    polling_share=st.floats(0, 1),
    upgrade_share=st.floats(0, 1),
    stay_s=st.floats(60, 1e5),
    password_share=st.floats(0, 0.5),
    guest_share=st.floats(0, 0.5),
    deployment=st.builds(
        Deployment,
        gateway_busy=st.floats(0.2, 0.75),
        spare_gateways=st.integers(0, 5),
        gateways_per_log=st.integers(10, 1_000),
        gateway_memory_mib=st.just(4_096.0),
    ),
)


def larger(workload, what, factor):
    """Return a workload with more of something."""
    value = getattr(workload, what)
    if what == "stay_s":
        return msgspec.structs.replace(workload, stay_s=max(1.0, value / factor))
    if what == "giants":
        giants = tuple(
            msgspec.structs.replace(
                giant, size=round(giant.size * factor), messages_per_s=giant.messages_per_s * factor
            )
            for giant in value
        )
        return msgspec.structs.replace(workload, giants=giants)
    if isinstance(value, int):
        return msgspec.structs.replace(workload, **{what: round(value * factor)})
    bound = 1.0 if what.endswith("share") else 1e9
    return msgspec.structs.replace(workload, **{what: min(bound, value * factor)})


@settings(max_examples=150, deadline=None)
@given(
    WORKLOADS,
    st.sampled_from(
        [
            *("connections", "messages_per_client_s", "messages_per_room_s", "text_bytes", "polling_share"),
            *("upgrade_share", "stay_s", "password_share", "guest_share", "giants"),
        ]
    ),
    st.floats(1, 4),
)
def test_more_work_never_plans_fewer_pods(workload, what, factor):
    try:
        more = plan(larger(workload, what, factor), MODEL)
    except Impossible:
        return
    less = plan(workload, MODEL)
    for service in ("gateways", "auth", "redis"):
        assert getattr(less, service).count <= getattr(more, service).count


def test_a_giant_room_of_more_than_all_connections_is_planned_for_as_well():
    giants = (Giant(size=99_813, rooms=3, messages_per_s=4.0),)
    crowd = Workload(title="t", connections=0, rooms=Rooms(sizes=Fixed(1), of_each_client=0), giants=giants)
    crowded = msgspec.structs.replace(crowd, deployment=Deployment(gateways_per_log=10, max_return_s=1_000))
    assert plan(crowded, MODEL).redis.count > 1


@settings(max_examples=100, deadline=None)
@given(WORKLOADS)
def test_without_the_spare_pods_none_is_fuller_than_it_may_be(workload):
    try:
        planned = plan(workload, MODEL)
    except Impossible:
        return
    target = workload.deployment
    assert planned.gateways.busy <= target.gateway_busy
    assert planned.redis.busy <= target.redis_busy
    assert planned.auth.busy <= target.auth_busy
    assert planned.gateways.memory_mib <= target.gateway_memory_mib
    assert planned.connections_per_gateway <= target.max_connections
    assert planned.gateways.cpu_m >= 1_000 * planned.gateways.busy


def test_one_gateway_less_than_is_planned_would_be_too_full():
    planned = plan(CALM, MODEL)
    needed = planned.gateways.count - planned.spare_gateways
    busy = MODEL.busy("gateway", Flows(CALM).gateway_work(needed - 1, of_a_log=needed - 1))
    assert busy > CALM.deployment.gateway_busy >= planned.gateways.busy


@pytest.mark.parametrize("spare", [0, 1, 7])
def test_as_many_gateways_are_added_as_may_be_away(spare):
    target = msgspec.structs.replace(CALM.deployment, spare_gateways=spare)
    planned = plan(msgspec.structs.replace(CALM, deployment=target), MODEL)
    calm = plan(CALM, MODEL)
    assert spare * planned.logs == planned.spare_gateways
    assert calm.gateways.count - calm.spare_gateways == planned.gateways.count - planned.spare_gateways


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"messages_per_client_s": 0.4}, "CPU of one log"),
        ({"deployment": Deployment(redis_memory_gib=0.01, gateway_memory_mib=8_192)}, "memory of one log"),
        (
            {
                "giants": (Giant(size=40_000, messages_per_s=0.001, announces=False),),
                "deployment": Deployment(max_delay_s=0.002, gateway_memory_mib=8_192),
            },
            "a message to a room of 40,000",
        ),
        (
            {"deployment": Deployment(gateways_per_log=4, gateway_memory_mib=8_192, max_return_s=100)},
            "gateways of one log",
        ),
    ],
)
def test_what_breaks_first_stands_first(changes, first):
    planned = plan(msgspec.structs.replace(CALM, **changes), MODEL)
    assert planned.limits[0].what.startswith(first)
    assert sorted((limit.share for limit in planned.limits), reverse=True) == [
        limit.share for limit in planned.limits
    ]


def test_what_one_log_cannot_bear_is_spread_over_several():
    busy = msgspec.structs.replace(CALM, connections=2_000_000)
    planned = plan(busy, MODEL)
    assert planned.logs > 1
    assert planned.limits[0].share > 1
    assert planned.spare_gateways == planned.logs


def test_a_workload_that_no_number_of_gateways_bears_is_refused_with_the_reason():
    target = msgspec.structs.replace(CALM.deployment, gateway_memory_mib=256)
    heavy = msgspec.structs.replace(MODEL, base_bytes={**MODEL.base_bytes, "gateway": 300 * 2**20})
    with pytest.raises(Impossible, match="every gateway"):
        plan(msgspec.structs.replace(CALM, deployment=target), heavy)
