"""`make up`: what it starts, what it says, how it stops, what it survives."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import psutil
import pytest
from waiting import until

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST, LocalSystem, is_listening, local_system, start_local_system

RESTART_TIMEOUT_S = 15


def output_of(system: LocalSystem) -> str:
    """Wait until a system that cannot start has ended; return what it printed."""
    assert 1 == system.process.wait(30)
    shutil.rmtree(system.state, ignore_errors=True)
    return system.log


async def open_session(http: httpx.AsyncClient, url: str) -> str:
    """Open a session as a client without a cookie; returns its id, empty if there is no answer."""
    http.cookies.clear()
    return (await http.get(url)).text.partition('"sid":"')[2].partition('"')[0]


async def until_ok(http: httpx.AsyncClient, url: str) -> httpx.Response:
    """Ask until the answer is 200."""

    async def ok() -> httpx.Response | None:
        with contextlib.suppress(httpx.HTTPError):
            answer = await http.get(url)
            return answer if answer.status_code == httpx.codes.OK else None
        return None

    return await until(ok, within_s=RESTART_TIMEOUT_S)


def test_the_banner_says_where_everything_is(system):
    assert f"Roomwire is up: http://localhost:{system.port}" in system.log
    assert {"auth", "gateway-1", "gateway-2"} == set(system.ports)
    # Nothing is said of gateways that have not started yet.
    assert [] == [line for line in system.log.splitlines() if line.startswith("ingress") and " | " in line]


async def test_the_page_and_the_api_page_are_behind_the_ingress(system, http):
    page = await http.get(f"{system.url}/")
    assert 200 == page.status_code
    assert "default-src 'none'" in page.headers["content-security-policy"]
    docs = await http.get(f"{system.url}/auth/docs")
    assert 200 == docs.status_code
    assert "cdn" not in docs.text.lower()


async def test_the_operations_port_is_not_behind_the_ingress(system, http):
    for path in ("/metrics", "/readyz", "/livez"):
        assert 404 == (await http.get(f"{system.url}{path}")).status_code
    for operations in system.operations.values():
        assert {"status": "ready"}.items() <= (await http.get(f"{operations}/readyz")).json().items()
        assert 200 == (await http.get(f"{operations}/livez")).status_code
        assert "roomwire_" in (await http.get(f"{operations}/metrics")).text


async def test_a_cookie_keeps_a_polling_client_on_its_gateway(system, http):
    url = f"{system.url}/socket.io/?EIO=4&transport=polling"
    for _ in range(4):
        http.cookies.clear()
        opened = await http.get(url)
        assert f"roomwire_{system.port}" in http.cookies
        sid = opened.text.partition('"sid":"')[2].partition('"')[0]
        posted = await http.post(f"{url}&sid={sid}", content="40")
        assert (200, "ok") == (posted.status_code, posted.text.lower())


async def test_a_request_without_cookie_goes_by_its_session_id(system, http):
    url = f"{system.url}/socket.io/?EIO=4&transport=polling"
    gateways = set()
    for _ in range(6):
        sid = await open_session(http, url)
        gateways.add(sid.partition(".")[0])
        http.cookies.clear()
        assert 200 == (await http.post(f"{url}&sid={sid}", content="40")).status_code
    assert {"gateway-1", "gateway-2"} == gateways


async def test_connections_are_counted_by_transport(system, http, clients):
    polling = await clients.connect(system.url, transports=["polling"])
    websocket = await clients.connect(system.url, transports=["websocket"])
    for client, transport in ((polling, "polling"), (websocket, "websocket")):
        metrics = (await http.get(f"{system.operations[await client.gateway()]}/metrics")).text
        line = next(
            line
            for line in metrics.splitlines()
            if f'roomwire_connections{{transport="{transport}"}}' in line
        )
        assert float(line.split()[1]) >= 1


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_gateway_that_ends_comes_back_and_its_clients_move_on(
    system, http, clients, signum, transport
):
    client = await clients.connect(system.url, transports=[transport])
    gateway = await client.gateway()
    os.kill(system.pid_of(gateway), signum)
    # A lost transport, never "io server disconnect": after that the official client would stay away.
    [reason, *_] = await client.wait_for("disconnect")
    assert reason.startswith("transport")
    client.happenings.clear()
    await client.wait_for("connect")
    assert "Message received!" == await client.emit("message", "moved on")
    await until_ok(http, f"{system.operations[gateway]}/readyz")


async def test_nobody_who_comes_meets_the_gateway_that_has_just_died(system, http):
    url = f"{system.url}/socket.io/?EIO=4&transport=polling"

    # Another test may have ended the other one, and the ingress may not know yet that it is back.
    async def both_are_met() -> bool:
        met = {(await open_session(http, url)).partition(".")[0] for _ in range(2)}
        return {"gateway-1", "gateway-2"} == met

    await until(both_are_met, within_s=RESTART_TIMEOUT_S)
    gateway = psutil.Process(system.pid_of("gateway-1"))
    gateway.kill()
    gateway.wait(RESTART_TIMEOUT_S)
    answers = []
    for _ in range(8):
        http.cookies.clear()
        answers.append((await http.get(url)).status_code)
    assert [200] * 8 == answers
    await until_ok(http, f"{system.operations['gateway-1']}/readyz")


def test_a_restart_exchanges_all_gateways_or_those_it_is_told(system):
    before = {name: system.pid_of(name) for name in system.ports}
    everything, one = restarted(system), restarted(system, "gateway-2")
    assert ["gateway-1", "gateway-2"] == [done["name"] for done in everything]
    assert [before["gateway-1"], before["gateway-2"]] == [done["before"] for done in everything]
    assert [everything[1]["after"]] == [done["before"] for done in one]
    now = {"gateway-1": everything[0]["after"], "gateway-2": one[0]["after"], "auth": before["auth"]}
    assert now == {name: system.pid_of(name) for name in system.ports}


def test_what_cannot_be_restarted_is_a_sentence(system):
    assert "restart: gateway-9: not among auth, gateway-1, gateway-2, ingress" == refused(
        system.port, "gateway-9"
    )
    assert "restart: nothing is running there" == refused(free_port())


def restarted(system, *names):
    """Have processes exchanged; return what was printed of each."""
    return [json.loads(line) for line in supervised(system.port, *names).stdout.splitlines()]


def refused(port, *names):
    """Return the sentence."""
    done = supervised(port, *names)
    assert 1 == done.returncode
    return done.stderr.strip()


def supervised(port, *names):
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "roomwire_local", "restart", *names],
        env={**os.environ, "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_stopped_redis_is_answered_within_two_seconds_and_forgotten_when_it_is_back(
    tmp_path, own_redis, clients, http
):
    with local_system(tmp_path, free_port(), ROOMWIRE_REDIS_URL=own_redis.url) as system:
        assert "yours, from ROOMWIRE_REDIS_URL" in system.log
        ann = await clients.connect(system.url)
        await ann.emit("joinRoom", {"roomId": "den", "userName": "Ann"})
        said = {"roomId": "den", "userName": "Ann", "message": "hello"}
        for stop, start in ((own_redis.pause, own_redis.resume), (own_redis.kill, own_redis.start)):
            stop()
            async with asyncio.timeout(2):
                ack = await ann.emit("chatMessage", said)
            async with asyncio.timeout(2):
                ready = await http.get(f"{system.operations[await ann.gateway()]}/readyz")
            assert ("unavailable", True) == (ack["error"]["code"], ack["error"]["retryable"])
            assert (200, "degraded") == (ready.status_code, ready.json()["backplane"])
            start()
            await until_healthy(http, system)
            assert "Message sent to room" == await ann.emit("chatMessage", said)
            assert [] == [happening for happening in ann.happenings if happening[0] == "disconnect"]
        # Rooms span the gateways again.
        bob = await clients.connect(system.url)
        while await bob.gateway() == await ann.gateway():
            bob = await clients.connect(system.url)
        await bob.emit("joinRoom", {"roomId": "den", "userName": "Bob"})
        await ann.wait_for_event("roomMessage", "Bob has joined room den")


async def until_healthy(http: httpx.AsyncClient, system: LocalSystem) -> None:
    """Wait until every gateway says that its backplane is whole again."""

    async def all_are_ok() -> bool:
        gateways = [url for name, url in system.operations.items() if name != "auth"]
        return all([(await http.get(f"{url}/readyz")).json()["backplane"] == "ok" for url in gateways])

    await until(all_are_ok, within_s=RESTART_TIMEOUT_S)


async def test_two_systems_run_side_by_side_and_a_signal_leaves_nothing_behind(tmp_path, system, clients):
    with local_system(tmp_path, free_port(), GATEWAYS="3") as other:
        assert {"auth", "gateway-1", "gateway-2", "gateway-3"} == set(other.ports)
        here = await clients.connect(system.url)
        there = await clients.connect(other.url)
        await here.emit("message", "only here")
        await there.emit("message", "only there")
        await here.wait_for_event("message")
        await there.wait_for_event("message")
        assert [] == [event for event in there.events if "only here" in str(event)]

        processes = other.processes()
        listening = {
            connection.laddr.port
            for process in processes
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert {other.port, *other.ports.values()} <= listening
        assert 0 == other.stop(signal.SIGTERM)
        assert [] == [process for process in processes if process.is_running()]
        assert [] == [port for port in listening if is_listening(port)]
        assert not list(other.state.glob("pid"))
    assert "Message received!" == await here.emit("message", "still up")


def test_ctrl_c_stops_it_too(tmp_path):
    with local_system(tmp_path, free_port(), GATEWAYS="1") as system:
        processes = system.processes()
        assert 0 == system.stop(signal.SIGINT)
        assert [] == [process for process in processes if process.is_running()]


def test_data_outlive_a_restart(tmp_path):
    port = free_port()
    with local_system(tmp_path, port, GATEWAYS="1") as system:
        credentials = {"username": "stays", "password": "correct horse"}
        assert 201 == httpx.post(f"{system.url}/auth/register", json=credentials, trust_env=False).status_code
        system.stop()
        again = start_local_system(tmp_path, port, GATEWAYS="1")
        again.wait_until_up()
        try:
            assert 200 == httpx.post(f"{again.url}/auth/login", json=credentials, trust_env=False).status_code
        finally:
            again.stop()


def test_a_taken_port_is_a_sentence_that_says_what_to_do(tmp_path):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        output = output_of(start_local_system(tmp_path, port))
    assert 1 == len(output.strip().splitlines())
    assert f"port {port} cannot be used" in output
    assert f"PORT={port + 1} make up" in output


def test_a_redis_that_refuses_is_a_sentence_that_says_what_to_do(tmp_path):
    url = f"redis://{HOST}:{free_port()}"
    output = output_of(start_local_system(tmp_path, free_port(), ROOMWIRE_REDIS_URL=url))
    assert 1 == len(output.strip().splitlines())
    assert "the Redis of ROOMWIRE_REDIS_URL refuses" in output


@pytest.mark.parametrize(("name", "value"), [("GATEWAYS", "none"), ("GATEWAYS", "0"), ("GATEWAYS", "99")])
def test_a_wrong_number_is_a_sentence(tmp_path, name, value):
    output = output_of(start_local_system(tmp_path, free_port(), **{name: value}))
    assert f"up: {name}='{value}' is not a number from 1 to 32" == output.strip()


def test_a_setting_that_a_service_refuses_ends_the_start_with_its_sentence(tmp_path):
    system = start_local_system(tmp_path, free_port(), ROOMWIRE_PING_INTERVAL_S="often")
    output = output_of(system)
    assert "ROOMWIRE_PING_INTERVAL_S" in output
    assert "gateway-1 ends at once" in output
    assert "Traceback" not in output
