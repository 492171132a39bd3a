"""The locustfile does what users of locust expect of one, against a real system through its ingress."""

import json
from urllib.parse import urlencode

import pytest
from locusts import END_S, counts, end, locust, page, seen, stop
from waiting import until_blocking

from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

pytestmark = pytest.mark.load


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with local_system(tmp_path_factory.mktemp("locust"), free_port()) as running:
        yield running


def done(output):
    """Return what was done, none of which failed."""
    found = counts(output)
    assert {} == {name: failed for name, (_, failed) in found.items() if failed}
    return {name: number for name, (number, _) in found.items()}


@pytest.mark.parametrize(("scenario", "users"), [(None, 10), ("polling", 5), ("chatter", 5)])
def test_it_runs_headless_and_all_that_was_done_is_in_the_statistics(system, tmp_path, scenario, users):
    chosen = ["--scenario", scenario] if scenario else []
    statistics = ["--json", "--csv", tmp_path / "run"]
    run = locust("--headless", "-u", users, "-r", 10, *statistics, "--host", system.url, *chosen)
    until_blocking(lambda: seen(tmp_path / "run").get("delivery", 0) > users, within_s=END_S)
    code, output = stop(run)
    found = done(output)
    assert 0 == code
    assert {"login": users, "connect": users, "join": users} == {
        name: found[name] for name in ("login", "connect", "join")
    }
    assert found["delivery"] > found["ack"] > 0


def test_it_runs_for_as_long_as_it_is_told(system):
    code, output = end(locust("--headless", "-u", 2, "-r", 2, "-t", "5s", "--json", "--host", system.url))
    assert (0, True) == (code, isinstance(done(output), dict))


def test_a_scenario_is_chosen_by_the_environment_as_well():
    run = locust("--headless", "-u", 1, "-t", "1s", LOAD_SCENARIO="unheard-of")
    _, errors = run.communicate(timeout=60)
    assert 2 == run.returncode
    assert "--scenario: invalid choice: 'unheard-of'" in errors


def test_what_fails_is_counted_with_its_reason_and_in_the_exit_code(system, tmp_path):
    statistics = ["--csv", tmp_path / "run"]
    run = locust("--headless", "-u", 2, "-r", 2, *statistics, "--host", f"{system.url}/elsewhere")
    until_blocking(lambda: seen(tmp_path / "run").get("login", 0) > 2, within_s=END_S)
    assert 1 == stop(run)[0]
    assert "roomwire,login,guest: HTTP 404," in (tmp_path / "run_failures.csv").read_text()


def test_what_is_no_address_of_a_system_is_said_and_is_a_failure(tmp_path):
    run = locust("--headless", "-u", 1, "--csv", tmp_path / "run", "--host", "localhost:3000")
    until_blocking(lambda: seen(tmp_path / "run").get("login"), within_s=END_S)
    assert 1 == stop(run)[0]
    said = "'localhost:3000' is not the address of a system: it must begin with http:// or https://."
    assert said in (tmp_path / "run_failures.csv").read_text()


def test_two_workers_do_what_the_master_was_told(system, tmp_path):
    port = free_port()
    master = locust(
        *("--headless", "--master", "--master-bind-port", port, "--expect-workers", 2, "--json"),
        *("-u", 20, "-r", 20, "--host", system.url, "--scenario", "chatter", "--csv", tmp_path / "run"),
    )
    workers = [locust("--worker", "--master-port", port) for _ in range(2)]
    until_blocking(lambda: seen(tmp_path / "run").get("delivery", 0) > 100, within_s=END_S)
    code, output = stop(master)
    assert [0, 0] == [end(worker)[0] for worker in workers]
    found = done(output)
    assert 0 == code
    assert (20, 20) == (found["login"], found["connect"])
    # Each worker fills rooms of ten: a message reaches more than one.
    assert found["delivery"] > found["ack"] > 0


def test_processes_that_locust_forks_share_the_work(system, tmp_path):
    run = locust(
        *("--headless", "--processes", 2, "-u", 4, "-r", 4, "--json", "--csv", tmp_path / "run"),
        *("--host", system.url, "--scenario", "chatter"),
    )
    until_blocking(lambda: seen(tmp_path / "run").get("delivery", 0) > 4, within_s=END_S)
    code, output = stop(run)
    assert 0 == code
    assert 4 == done(output)["login"]


def test_the_web_page_starts_a_run_of_the_scenario_that_is_chosen_there(system):
    port = free_port()
    run = locust("--web-host", "127.0.0.1", "--web-port", port)
    url = f"http://127.0.0.1:{port}"
    try:
        assert '"scenario"' in until_blocking(lambda: page(f"{url}/"), within_s=END_S)
        form = {"user_count": 10, "spawn_rate": 10, "host": system.url, "scenario": "polling"}
        assert json.loads(page(f"{url}/swarm", urlencode(form).encode()))["success"]
        until_blocking(lambda: any(one["name"] == "delivery" for one in statistics(url)), within_s=END_S)
        assert {} == {one["name"]: one["num_failures"] for one in statistics(url) if one["num_failures"]}
        assert json.loads(page(f"{url}/stop", b""))["success"]
        until_blocking(
            lambda: json.loads(page(f"{url}/stats/requests"))["state"] == "stopped", within_s=END_S
        )
    finally:
        stop(run)


def statistics(url):
    return json.loads(page(f"{url}/stats/requests"))["stats"]
