"""The script of `helm test`, on a real system with two gateways."""

import contextlib
import importlib
import json
import os
import subprocess
import sys

import pytest
from chart import CHART, install
from documents import ROOT, programs
from websockets.exceptions import WebSocketException

from roomwire_local.free_ports import free_port, free_ports
from roomwire_local.system import HOST, local_system

SCRIPT = CHART / "files/connection.py"


def ended(environment, **options):
    """Run the script to its end; it leaves no bytecode in the chart."""
    return subprocess.run(
        [sys.executable, "-B", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with local_system(
        tmp_path_factory.mktemp("system"), free_port(), GATEWAYS="2", ROOMWIRE_AUTH_MODE="required"
    ) as system:

        def run_with(**variables):
            environment = os.environ | {"GATEWAY_URL": system.url, "AUTH_URL": system.url, "GATEWAYS": "2"}
            return ended(environment | variables)

        yield run_with


RECOVERED = "recovery: the missed message arrived once and in order"


def test_clients_come_in_by_each_transport_and_reach_two_gateways_and_one_of_them_recovers(run):
    done = run()

    assert 0 == done.returncode, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert ["auth: publishes 1 keys", "token: present", "without a token: refused"] == said[:3]
    assert ["polling: connected to gateway-", "websocket: connected to gateway-"] == [
        line[:-1] for line in said[3:5]
    ]
    assert said[5] in {"two clients: on gateway-1 and gateway-2", "two clients: on gateway-2 and gateway-1"}
    assert "recovery: the session continued after a cut" == said[6]
    assert f"own checks: {sys.executable} {CHART / 'files/chat_checks.py'}" == said[7]
    assert RECOVERED in said[8:]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_each_transport_is_enough(run, transport):
    done = run(TRANSPORTS=transport)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert RECOVERED in done.stdout


def test_it_waits_for_what_it_tests(tmp_path):
    port = free_port()
    url = f"http://{HOST}:{port}"
    environment = os.environ | {"GATEWAY_URL": url, "AUTH_URL": url, "GATEWAYS": "2"}
    with subprocess.Popen(
        [sys.executable, "-B", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert "waiting: URLError" in running.stdout.readline()
            with local_system(tmp_path, port, GATEWAYS="2", ROOMWIRE_AUTH_MODE="required"):
                rest = running.stdout.read()
                assert 0 == running.wait(), rest
        finally:
            running.kill()

    assert RECOVERED in rest


def test_what_does_not_come_is_a_sentence():
    url = f"http://{HOST}:{free_port()}"
    environment = os.environ | {"GATEWAY_URL": url, "AUTH_URL": url, "GATEWAYS": "2", "WAIT_S": "0"}
    done = ended(environment)

    assert (1, True) == (done.returncode, done.stderr.startswith("after 0 s: URLError"))


def test_without_a_token_only_the_refusal_is_tested_and_it_says_so(run):
    done = run(AUTH_URL="")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "without a token: refused\nclients: not tested, because there is no token for them" in done.stdout


def test_it_fails_where_a_client_without_a_token_is_let_in(run_alone):
    done = run_alone(AUTH_MODE="required", TOKEN="")

    assert (1, "a client without a token was admitted, although a token is required") == (
        done.returncode,
        done.stderr.strip(),
    )


def test_it_fails_where_a_token_is_refused(run):
    done = run(TOKEN="x.y.z")

    assert 1 == done.returncode
    assert "no connection to /: " in done.stderr


def test_it_fails_where_the_namespace_is_not_served(run):
    done = run(NAMESPACE="/nowhere")

    assert 1 == done.returncode
    assert "no connection to /nowhere: " in done.stderr


BOARD = """
import msgspec
from roomwire import App, Gateway, Socket, subscribe


class Board(Gateway, namespace="/board"):
    async def on_connection(self, socket: Socket, options: dict) -> None:
        await socket.emit("greeting", options["key"], b"binary")


app = App(Board)
"""
CHECKS = """
import contextlib, os, sys
from deployed import Client, repeat, token

def go_through(stack):
    client = Client(stack, token())
    client.until("let me in")
    print("greeted", sys.argv[1:])

repeat(go_through)
sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture(scope="module")
def run_alone(tmp_path_factory):
    """Runs the test against two gateways that serve an application of one namespace, with the API, and without tokens."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "board.py").write_text(BOARD, encoding="utf-8")
    (folder / "checks.py").write_text(CHECKS, encoding="utf-8")
    # By default no person's token publishes events of any name.
    policy = (ROOT / "services/roomwire/src/roomwire/identity/policy.toml").read_text(encoding="utf-8")
    (folder / "policy.toml").write_text(policy.replace('["join",', '["emit", "join",'), encoding="utf-8")
    settings = {
        "ROOMWIRE_POLICY_FILE": str(folder / "policy.toml"),
        "ROOMWIRE_APP": "board:app",
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]]),
        "ROOMWIRE_API_PORT": str(free_ports(2)[0]),
    }
    with local_system(folder, free_port(), GATEWAYS="2", ROOMWIRE_AUTH_MODE="optional", **settings) as system:

        def run_with(**variables):
            environment = os.environ | {
                "GATEWAY_URL": system.url,
                "AUTH_URL": system.url,
                "API_URL": f"http://{HOST}:{settings['ROOMWIRE_API_PORT']}",
                "GATEWAYS": "2",
                "AUTH_MODE": "optional",
                "ROOMWIRE_APP": "board:app",
                "NAMESPACE": "/board",
                "AUTH": '{"key": "let me in"}',
            }
            return ended(environment | variables, cwd=folder)

        yield run_with


def test_another_application_is_tested_by_what_the_api_publishes_and_has_no_own_checks_of_the_chat(run_alone):
    done = run_alone()

    assert 0 == done.returncode, done.stdout + done.stderr
    assert [RECOVERED, "own checks: none"] == done.stdout.splitlines()[-2:]


def test_an_application_without_the_api_is_tested_by_its_session(run_alone):
    done = run_alone(API_URL="")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "recovery: the session continued after a cut" == done.stdout.splitlines()[-2]


@pytest.mark.parametrize("status", ["0", "3"])
def test_the_own_checks_of_an_application_run_after_and_decide_as_well(run_alone, status):
    done = run_alone(CHECKS=json.dumps([sys.executable, "checks.py", "a b"]), STATUS=status)

    assert (status != "0", True) == (done.returncode != 0, "greeted ['a b']" in done.stdout), done.stderr
    assert ("own checks: failed" in done.stderr) is (status != "0")


def of_the_page(mark):
    """Return the program of `docs/application.md` that has a mark in it."""
    (code,) = [code for code in programs(ROOT / "docs" / "application.md", "python") if mark in code]
    return code


def test_the_checks_that_the_page_shows_pass_for_the_application_that_it_shows(tmp_path):
    (tmp_path / "board.py").write_text(of_the_page('@subscribe("move")'), encoding="utf-8")
    (tmp_path / "checks.py").write_text(of_the_page("from deployed import"), encoding="utf-8")
    own = {
        "ROOMWIRE_APP": "board:app",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]),
    }
    with local_system(tmp_path, free_port(), GATEWAYS="2", ROOMWIRE_AUTH_MODE="required", **own) as system:
        urls = {"GATEWAY_URL": system.url, "AUTH_URL": system.url, "GATEWAYS": "2"}
        done = ended(
            os.environ | urls | {"CHECKS": json.dumps([sys.executable, "checks.py"])},
            cwd=tmp_path,
        )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert [RECOVERED] == done.stdout.splitlines()[-1:]


@pytest.fixture
def deployed(monkeypatch, tmp_path, own_redis):
    """Return the module for checks, with a system of one gateway whose Redis can be killed."""
    with local_system(
        tmp_path, free_port(), GATEWAYS="1", ROOMWIRE_AUTH_MODE="optional", ROOMWIRE_REDIS_URL=own_redis.url
    ) as system:
        monkeypatch.setenv("GATEWAY_URL", system.url)
        monkeypatch.setenv("GATEWAYS", "1")
        monkeypatch.setenv("AUTH_MODE", "optional")
        monkeypatch.syspath_prepend(SCRIPT.parent)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        for module in ("chat_checks", "deployed"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        yield importlib.import_module("deployed")
        for module in ("chat_checks", "deployed"):
            sys.modules.pop(module, None)


def test_an_answer_that_may_come_out_well_later_is_waited_for_and_one_that_may_not_is_a_sentence(
    deployed, own_redis, capsys
):
    chat_checks = importlib.import_module("chat_checks")
    with contextlib.ExitStack() as stack:
        client = deployed.Client(stack, "")
        with pytest.raises(deployed.Refused, match=r"joinRoom: .*invalid_body"):
            client.call("joinRoom", {})
        own_redis.kill()
        # A gateway that has lost Redis answers so, or disconnects a client whose session it cannot confirm.
        with pytest.raises((deployed.NotYet, WebSocketException)) as raised:
            client.call("joinRoom", {"roomId": "den", "userName": "test"})
        assert "unavailable" in str(raised.value) or isinstance(raised.value, WebSocketException)

    own_redis.start()
    deployed.repeat(chat_checks.go_through)

    assert RECOVERED in capsys.readouterr().out


def test_the_chart_runs_that_script_with_the_gateways_it_installs():
    release = install({"gateway": {"replicas": 3}})
    (container,) = release.one("Pod", "chat-roomwire-test")["spec"]["containers"]
    told = {entry["name"]: entry["value"] for entry in container["env"]}

    assert {
        "GATEWAY_URL": "http://chat-roomwire-gateway",
        "AUTH_URL": "http://chat-roomwire-auth",
        "GATEWAYS": "3",
        "AUTH_MODE": "required",
        "TRANSPORTS": "polling,websocket",
        "RELAY": "true",
        "NAMESPACE": "/",
        "AUTH": "{}",
        "CHECKS": "[]",
    } == told
    data = release.one("ConfigMap", "chat-roomwire-test")["data"]
    assert {name: (SCRIPT.parent / name).read_text().strip() for name in data} == {
        name: text.strip() for name, text in data.items()
    }
    assert {"connection.py", "deployed.py", "chat_checks.py"} == {*data}


def test_the_chart_tells_its_test_of_the_application_its_checks_and_the_api():
    checks = {"command": ["python", "checks.py"], "namespace": "/board", "auth": {"key": "a'b"}}
    release = install({"gateway": {"app": "board:app", "api": {"enabled": True}}, "test": checks})
    (container,) = release.one("Pod", "chat-roomwire-test")["spec"]["containers"]
    told = {entry["name"]: entry["value"] for entry in container["env"]}

    assert ("board:app", "/board") == (told["ROOMWIRE_APP"], told["NAMESPACE"])
    assert (checks["command"], checks["auth"]) == (json.loads(told["CHECKS"]), json.loads(told["AUTH"]))
    assert "http://chat-roomwire-gateway:8010" == told["API_URL"]
