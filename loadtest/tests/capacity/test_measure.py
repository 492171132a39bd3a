"""What is measured of a real system: work is counted as it was done, by whom it was done, and it cost something."""

import pytest

from roomwire_loadtest.capacity.measuring.busy_log import publish
from roomwire_loadtest.capacity.measuring.clients import Clients
from roomwire_loadtest.capacity.measuring.house import house
from roomwire_loadtest.capacity.measuring.observing import Disturbed, Observer
from roomwire_loadtest.capacity.measuring.runs import Busy, Churn, Talk
from roomwire_loadtest.capacity.measuring.talks import Talks
from roomwire_loadtest.capacity.measuring.weighing import Weighing
from roomwire_loadtest.load.accounts import Accounts
from roomwire_loadtest.load.target import Target


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with house(tmp_path_factory.mktemp("house"), gateways=2) as running:
        yield running


@pytest.fixture
def clients(home):
    return Clients(Accounts(Target.of(home.auth_url), timeout_s=10).guest().access)


@pytest.fixture
def observer(home):
    # A machine that does other things besides disturbs every measurement: what is counted is the same.
    return Observer(home, print)


def of(observer, process):
    (one,) = [one for one in observer.observations if one.process == process]
    return one


def test_a_conversation_is_counted_by_who_takes_hears_and_delivers(home, clients, observer, monkeypatch):
    monkeypatch.setattr("roomwire_loadtest.capacity.measuring.talks._CALM_MS", 60_000.0)
    monkeypatch.setattr("roomwire_loadtest.capacity.measuring.talks._LATEST", 10.0)
    Talks(home, clients, observer).talk(Talk(rooms=3, size=4, gateways=2, rates=(40,)))
    first, second, redis = (of(observer, name) for name in ("gateway-1", "gateway-2", "redis"))
    said = first.work["messages"] + second.work["messages"]
    assert 120 == said == redis.work["keeps"] == redis.work["publishes"] / 2
    assert [said, said] == [first.work["heard"], second.work["heard"]]
    assert 4 * said == first.work["deliveries"] + second.work["deliveries"]
    assert 2 * said == redis.work["pushes"]
    assert 0 < redis.work["calls"] <= 2 * said
    assert min(first.cpu_s, second.cpu_s, redis.cpu_s) > 0


def test_who_polls_is_counted_by_requests(home, clients, observer):
    Talks(home, clients, observer).polled(Talk(rooms=2, size=2, gateways=1, rates=(10,), polling=True))
    work = of(observer, "gateway-1").work
    assert [30, 60] == [work["messages"], work["deliveries"]]
    assert 60 * 0.5 <= work["requests"]


def test_a_log_alone_is_counted_by_publishes_keeps_and_pushes(home):
    done = publish(home.redis_url, Busy(publishes=200, keeps=50, hearers=2, speakers=2), 1.0)
    assert 2 * done["publishes"] == done["pushes"] > 0
    assert 0 < done["moments"] <= done["calls"]
    assert done["keeps"] > 0


def test_what_is_disturbed_is_tried_again_and_then_left_out(observer):
    tried = []

    def work():
        tried.append(1)
        raise Disturbed("by somebody")

    observer.observe_calmly("a run", work, is_check=False)
    assert len(tried) > 1
    assert [] == observer.observations


def test_what_is_held_is_weighed(home, clients, monkeypatch):
    monkeypatch.setattr("roomwire_loadtest.capacity.measuring.weighing.MEMBERS", ((20, 3, 5), (10, 2, 5)))
    monkeypatch.setattr("roomwire_loadtest.capacity.measuring.weighing.KEPT", ((4, 64), (2, 64)))
    weighing = Weighing(home, "gateway-2", clients.auth, print)
    weighing.members()
    weighing.kept()
    held = {one.what: one for one in weighing.weights}
    assert {"connections": 30, "sessions": 30, "memberships": 80, "rooms": 16} == held["session"].held
    assert {"streams": 10, "messages": 10, "text_kib": 0.625} == held["log"].held
    # Of the others, what earlier tests left goes meanwhile.
    assert all(one.total_bytes > 0 for one in weighing.weights if one.what in {"log", "history"})
    assert [False, True] == [one.is_check for one in weighing.weights if one.what == "history"]


def test_a_churn_names_itself():
    assert "20 come and go a second, polling first, and join" == str(
        Churn(rate=20, joins=True, upgrades=True)
    )
