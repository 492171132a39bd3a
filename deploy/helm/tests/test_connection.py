"""The script of `helm test`, on a real system with two gateways."""

import contextlib
import importlib.util
import os
import subprocess
import sys

import pytest
from chart import CHART, install

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST, local_system

SCRIPT = CHART / "files/connection.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with local_system(
        tmp_path_factory.mktemp("system"), free_port(), GATEWAYS="2", ROOMWIRE_AUTH_MODE="required"
    ) as system:

        def run_with(**variables):
            environment = os.environ | {"GATEWAY_URL": system.url, "AUTH_URL": system.url, "GATEWAYS": "2"}
            return subprocess.run(
                [sys.executable, SCRIPT],
                env=environment | variables,
                capture_output=True,
                text=True,
                check=False,
            )

        yield run_with


def test_two_clients_on_two_gateways_talk_and_one_of_them_recovers(run):
    done = run()

    assert 0 == done.returncode, done.stdout + done.stderr
    assert (
        "two clients: on gateway-1 and gateway-2" in done.stdout
        or "on gateway-2 and gateway-1" in done.stdout
    )
    assert "recovery: the missed message came once, and in order" in done.stdout


def test_it_waits_for_what_it_tests(tmp_path):
    port = free_port()
    url = f"http://{HOST}:{port}"
    environment = os.environ | {"GATEWAY_URL": url, "AUTH_URL": url, "GATEWAYS": "2"}
    with subprocess.Popen(
        [sys.executable, SCRIPT], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert "waiting: URLError" in running.stdout.readline()
            with local_system(tmp_path, port, GATEWAYS="2", ROOMWIRE_AUTH_MODE="required"):
                rest = running.stdout.read()
                assert 0 == running.wait(), rest
        finally:
            running.kill()

    assert "recovery: the missed message came once, and in order" in rest


def test_what_does_not_come_is_a_sentence():
    url = f"http://{HOST}:{free_port()}"
    environment = os.environ | {"GATEWAY_URL": url, "AUTH_URL": url, "GATEWAYS": "2", "WAIT_S": "0"}
    done = subprocess.run(
        [sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=False
    )

    assert (1, True) == (done.returncode, done.stderr.startswith("after 0 s: URLError"))


def test_it_fails_where_nobody_is_let_in(run):
    done = run(AUTH_URL="")

    assert 1 == done.returncode
    assert "unauthenticated" in done.stderr


@pytest.fixture
def script(monkeypatch, tmp_path, own_redis):
    """The script as a module, before a system of one gateway whose Redis can be killed."""
    with local_system(
        tmp_path, free_port(), GATEWAYS="1", ROOMWIRE_AUTH_MODE="optional", ROOMWIRE_REDIS_URL=own_redis.url
    ) as system:
        monkeypatch.setenv("GATEWAY_URL", system.url)
        monkeypatch.setenv("GATEWAYS", "1")
        spec = importlib.util.spec_from_file_location("connection", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def test_an_answer_that_may_come_out_well_later_is_waited_for_and_one_that_may_not_is_a_sentence(
    script, own_redis, capsys
):
    room = {"roomId": "den", "userName": "test"}
    with contextlib.ExitStack() as stack:
        client = script.Client(stack, "")
        with pytest.raises(SystemExit, match=r"joinRoom: .*invalid_body"):
            client.call("joinRoom", {})
        own_redis.kill()
        for event in ("joinRoom", "presence"):
            with pytest.raises(script.NotYet, match=f"{event}: .*unavailable"):
                client.call(event, room)

    own_redis.start()
    script.main()

    assert "recovery: the missed message came once, and in order" in capsys.readouterr().out


def test_the_chart_runs_that_script_with_the_gateways_it_installs():
    release = install({"gateway": {"replicas": 3}})
    (container,) = release.one("Pod", "chat-roomwire-test")["spec"]["containers"]
    told = {entry["name"]: entry["value"] for entry in container["env"]}

    assert {
        "GATEWAY_URL": "http://chat-roomwire-gateway",
        "AUTH_URL": "http://chat-roomwire-auth",
        "GATEWAYS": "3",
    } == told
    assert (
        SCRIPT.read_text().strip()
        == release.one("ConfigMap", "chat-roomwire-test")["data"]["connection.py"].strip()
    )
