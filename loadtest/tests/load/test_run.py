"""Short runs of real locust users against a real system through its ingress."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_system import free_port, local_system

LOADTEST = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with local_system(tmp_path_factory.mktemp("load"), free_port()) as running:
        yield running


def start(
    system, out, *arguments, thresholds="lost = 0\ndoubled = 0\nreordered = 0\nphantom = 0\nhole = 0\n"
):
    out.mkdir(exist_ok=True)
    (out / "t.toml").write_text(thresholds)
    path = os.pathsep.join(
        [str(LOADTEST), str(LOADTEST.parent / "deploy/local"), os.environ.get("PYTHONPATH", "")]
    )
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "load",
            "--url",
            system.url,
            "--out",
            out,
            "--thresholds",
            out / "t.toml",
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process, out):
    _, errors = process.communicate(timeout=60)
    assert (out / "load.json").exists(), errors.decode()
    return process.returncode, json.loads((out / "load.json").read_text())


def test_every_message_arrives_over_both_transports_and_under_fresh_tokens(system, tmp_path):
    run = start(system, tmp_path, "--scenario", "mixed", "--users", "30", "--seconds", "9")
    _, report = finish(run, tmp_path)
    assert [] == report["broken"]
    assert report["delivered"] >= report["acknowledged"] > 0
    assert 0 == report["measured"]["failed_logins"]
    assert "roomwire" in (tmp_path / "load.html").read_text()


def test_a_gateway_that_stands_still_shows_in_the_latency_and_breaks_the_threshold(system, tmp_path):
    run = start(
        system,
        tmp_path,
        "--scenario",
        "chatter",
        "--users",
        "20",
        "--seconds",
        "12",
        thresholds="delivery_p99_ms = 1500\n",
    )
    pids = [system.pid_of(name) for name in system.ports if name.startswith("gateway")]
    time.sleep(5)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(3)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    _, report = finish(run, tmp_path)
    assert report["measured"]["delivery_p99_ms"] > 1500
    assert ["delivery_p99_ms"] == [sentence.partition(":")[0] for sentence in report["broken"]]
