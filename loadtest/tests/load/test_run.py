"""Short runs of real locust users against a real system through its ingress."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from locusts import END_S, page
from waiting import time_passes_blocking, until_blocking

from roomwire_loadtest.faults.journal import parse
from roomwire_loadtest.faults.oracle import COUNTS
from roomwire_loadtest.load.thresholds import FAILURES, Outcome
from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

pytestmark = pytest.mark.load

STRICT = "".join(
    f"{name} = 0\n"
    for name in (*COUNTS, *FAILURES)
    # The official client tries again by itself while a gateway is away.
    if name != "failed_connects"
)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with local_system(tmp_path_factory.mktemp("load"), free_port()) as running:
        yield running


@contextlib.contextmanager
def standing_still(system):
    """Stop all gateways until the context ends."""
    pids = [system.pid_of(name) for name in system.ports if name.startswith("gateway")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def connected(system):
    """Return how many clients the gateways hold."""
    texts = [page(f"{url}/metrics") for name, url in system.operations.items() if name != "auth"]
    rows = [row for text in texts for row in text.splitlines() if row.startswith("roomwire_connections{")]
    return sum(float(row.rpartition(" ")[2]) for row in rows)


def start(url, out, *arguments, thresholds=""):
    out.mkdir(exist_ok=True)
    (out / "t.toml").write_text(thresholds)
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "roomwire_loadtest.load",
            "--url",
            url,
            "--out",
            out,
            "--thresholds",
            out / "t.toml",
            *arguments,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process, out):
    _, errors = process.communicate(timeout=END_S)
    assert (out / "load.json").exists(), errors.decode()
    return process.returncode, json.loads((out / "load.json").read_text())


def kept(report, *, users):
    """Say that all was said, acknowledged and heard."""
    assert [] == report["broken"]
    assert report["delivered"] >= report["acknowledged"] > 0
    assert sum(report["connections"].values()) >= users


@pytest.mark.parametrize(
    ("scenario", "users", "transport"),
    # In one big room people say something every 50 seconds: of 20 nobody might, in so short a time.
    [("polling", 20, "polling"), ("big-room", 80, "websocket"), ("chatter", 20, "websocket")],
)
def test_every_message_arrives_over_the_transport_of_its_scenario(
    system, tmp_path, scenario, users, transport
):
    arguments = ["--scenario", scenario, "--users", str(users), "--seconds", "12"]
    _, report = finish(start(system.url, tmp_path, *arguments, thresholds=STRICT), tmp_path)
    assert {transport} == set(report["connections"])
    kept(report, users=users)


def test_who_refreshed_its_tokens_comes_back_with_the_new_ones(system, tmp_path):
    run = start(
        system.url, tmp_path, "--scenario", "refresh", "--users", "10", "--seconds", "15", thresholds=STRICT
    )
    _, report = finish(run, tmp_path)
    assert report["refreshed"] >= 10
    # All leave after seven seconds and connect anew with what the refresh gave them.
    kept(report, users=20)


def test_gateways_are_exchanged_under_a_run_with_proof_and_nothing_is_lost(system, tmp_path):
    run = start(
        system.url, tmp_path, "--scenario", "rollout", "--users", "20", "--seconds", "45", thresholds=STRICT
    )
    # Users who come in late are waited for: nothing would be cut off before, and the run would show nothing.
    with standing_still(system):
        time_passes_blocking(16)
    _, report = finish(run, tmp_path)
    assert [] == report["void"]
    assert ["gateway-1", "gateway-2"] == [proof.partition(":")[0] for proof in report["exchanged"]]
    assert report["recovered"] >= 20
    kept(report, users=40)


def test_a_rollout_that_did_not_happen_is_void(system, tmp_path):
    run = start(
        system.url,
        tmp_path,
        "--scenario",
        "rollout",
        "--users",
        "10",
        "--seconds",
        "10",
        "--exchange",
        "true",
    )
    code, report = finish(run, tmp_path)
    assert Outcome.VOID == code
    (reason,) = report["void"]
    # How many are there by then is a matter of the machine.
    assert re.fullmatch(r"0 of \d+ clients were cut off: not all gateways were exchanged", reason)


def test_who_stays_longer_than_a_token_renews_it_and_is_not_cut_off(tmp_path):
    with local_system(tmp_path, free_port(), ROOMWIRE_ACCESS_TTL_S="30") as brief:
        run = start(
            brief.url,
            tmp_path,
            "--scenario",
            "chatter",
            "--users",
            "10",
            "--seconds",
            "40",
            thresholds=STRICT,
        )
        _, report = finish(run, tmp_path)
    assert [10, 10] == [report["refreshed"], report["renewed"]]
    assert {"websocket": 10} == report["connections"]
    kept(report, users=10)


def test_two_workers_share_the_users_and_the_master_judges_what_both_saw(system, tmp_path):
    port = str(free_port())
    shared = ["--scenario", "chatter", "--seconds", "14", "--port", port]
    master = start(system.url, tmp_path, *shared, "--users", "20", "--master", "2", thresholds=STRICT)
    workers = [start(system.url, tmp_path / name, *shared, "--worker", "127.0.0.1") for name in "ab"]
    _, report = finish(master, tmp_path)
    assert [0, 0] == [worker.wait(timeout=60) for worker in workers]
    for worker in workers:
        worker.stderr.close()
    kept(report, users=20)
    journal = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    meters = {entry.client for entry in map(parse, journal) if entry.kind == "meter"}
    assert 2 == len(meters)


def test_a_system_that_is_down_has_broken_its_promises_and_the_run_is_not_void(tmp_path):
    run = start(f"http://127.0.0.1:{free_port()}", tmp_path, "--users", "2", "--seconds", "5")
    code, report = finish(run, tmp_path)
    assert Outcome.BROKEN == code
    assert [] == report["void"]
    assert "no message was acknowledged" in report["broken"]
    assert report["measured"]["failed_logins"] > 0


def test_what_a_silent_gateway_never_answers_has_failed(system, tmp_path):
    run = start(
        system.url, tmp_path, "--scenario", "chatter", "--users", "10", "--seconds", "9", thresholds=STRICT
    )
    until_blocking(lambda: connected(system) == 10, within_s=END_S)
    with standing_still(system):
        _, report = finish(run, tmp_path)
    assert report["measured"]["failed_messages"] > 0
    assert "failed_messages" in [sentence.partition(":")[0] for sentence in report["broken"]]


def test_a_gateway_that_stands_still_shows_in_the_latency_and_breaks_the_threshold(system, tmp_path):
    run = start(
        system.url,
        tmp_path,
        "--scenario",
        "chatter",
        "--users",
        "20",
        "--seconds",
        "12",
        thresholds="delivery_p99_ms = 1500\n",
    )
    until_blocking(lambda: connected(system) == 20, within_s=END_S)
    with standing_still(system):
        time_passes_blocking(3)
    _, report = finish(run, tmp_path)
    assert report["measured"]["delivery_p99_ms"] > 1500
    assert ["delivery_p99_ms"] == [sentence.partition(":")[0] for sentence in report["broken"]]


def test_who_is_refused_for_good_is_counted_once_and_stays_away(tmp_path):
    # Gateways that take no token of this auth service.
    with local_system(tmp_path, free_port(), ROOMWIRE_AUTH_ALGORITHMS="RS256") as strange:
        arguments = ["--scenario", "chatter", "--users", "5", "--seconds", "9"]
        code, report = finish(start(strange.url, tmp_path, *arguments, thresholds=STRICT), tmp_path)
    assert Outcome.BROKEN == code
    assert 5 == report["measured"]["refused_connects"]
    assert "refused_connects: 5, 0 allowed" in report["broken"]
    assert "connect: refused: unauthenticated, 5 times" in report["failures"]
    # How fast one is refused is no time of connecting.
    assert "connect_p50_ms" not in report["measured"]


def test_a_renewal_that_is_refused_has_failed(tmp_path):
    with local_system(tmp_path, free_port(), ROOMWIRE_AUTH_MODE="off") as open_to_all:
        arguments = ["--scenario", "refresh", "--users", "5", "--seconds", "12"]
        code, report = finish(start(open_to_all.url, tmp_path, *arguments, thresholds=STRICT), tmp_path)
    assert Outcome.BROKEN == code
    assert (0, True) == (report["renewed"], report["measured"]["failed_renewals"] > 0)
    assert ["failed_renewals"] == [sentence.partition(":")[0] for sentence in report["broken"]]
    assert any(sentence.startswith("renewal: forbidden, ") for sentence in report["failures"])


def test_why_nobody_could_log_in_stands_in_the_report_with_the_address(system, tmp_path):
    url = f"{system.url}/elsewhere"
    code, report = finish(
        start(url, tmp_path, "--scenario", "chatter", "--users", "2", "--seconds", "5"), tmp_path
    )
    assert (Outcome.BROKEN, url) == (code, report["url"])
    assert ["login: guest: HTTP 404"] == [one.rpartition(",")[0] for one in report["failures"]]
    assert f"at {url}." in (tmp_path / "load.md").read_text("utf-8")


def test_locusts_page_is_shown_while_it_runs(system, tmp_path):
    port = free_port()
    run = start(system.url, tmp_path, "--users", "5", "--seconds", "12", "--web", str(port))
    shown = until_blocking(
        lambda: run.poll() is not None or page(f"http://127.0.0.1:{port}/"), within_s=END_S
    )
    statistics = page(f"http://127.0.0.1:{port}/stats/requests")
    finish(run, tmp_path)
    assert "<title>Locust" in str(shown)
    assert {"state", "stats", "errors"} <= json.loads(statistics).keys()


def test_what_is_no_address_is_refused_with_a_sentence(tmp_path):
    run = start("localhost:3000", tmp_path)
    _, errors = run.communicate(timeout=60)
    assert 2 == run.returncode
    assert (
        "--url: 'localhost:3000' is not the address of a system: it must begin with http://"
        in errors.decode()
    )
