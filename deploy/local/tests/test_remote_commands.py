"""`roomwire token`, `publish` and `tail` against a system as `roomwire up` starts it: Valkey, auth, two gateways, Traefik."""

import asyncio
import json
import os
import re
import sys
from functools import partial

import httpx
import psutil
import pytest
from waiting import until

from roomwire_local.free_ports import free_port, free_ports
from roomwire_local.system import HOST, local_system

# Each test starts a system and several programs one after another, on a machine that may be slow.
pytestmark = pytest.mark.timeout(360)

SECRET = "k" * 40
BOARD = """
from roomwire import App, Gateway, Socket, subscribe


class Board(Gateway):
    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> str:
        await socket.join(room)
        return socket.user.name


app = App(Board)
"""


@pytest.fixture
def system(tmp_path, starts_servers):
    (tmp_path / "board.py").write_text(BOARD)
    port, _ = free_ports(2)
    settings = {
        "ROOMWIRE_API_PORT": str(port),
        "ROOMWIRE_API_KEYS": f"shop service {SECRET}",
        "ROOMWIRE_AUTH_MODE": "required",
    }
    with local_system(tmp_path, free_port(), application="board:app", **settings) as running:
        running.api = f"http://{HOST}:{port}"
        yield running


async def started(*arguments, **environ):
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomwire",
        *arguments,
        env=own | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ran(*arguments, **environ):
    """Run a command; returns its status, its output and its errors."""
    process = await started(*arguments, **environ)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def line(stream):
    async with asyncio.timeout(60):
        return (await stream.readline()).decode()


async def has_killed(system, gateway):
    """Kill a gateway; one that is being started again has no process yet."""
    try:
        psutil.Process(system.pid_of(gateway)).kill()
    except psutil.NoSuchProcess:
        return False
    return True


async def test_a_tail_recovers_what_was_published_while_every_gateway_was_killed(system):
    assert f", API {system.api}\n" in system.log
    status, token, error = await ran("token", system.url, "--name", "Ann")
    assert (0, "", 1) == (status, error, token.count("\n"))
    tail = await started(
        "tail", system.url, "--emit", '["join", "den"]', "--count", "2", ROOMWIRE_TOKEN=token
    )
    assert re.match("connected on gateway-[12] as ", await line(tail.stderr))
    # The token is the guest's.
    assert ["Ann"] == json.loads(await line(tail.stdout))["args"]

    async def publish(number, *options):
        arguments = ("price", '"tea"', str(number), "--room", "den", *options)
        return await ran("publish", system.api, *arguments, ROOMWIRE_TOKEN=SECRET)

    assert (
        0,
        "1 event is in the log. The API does not know how many clients receive it.\n",
        "",
    ) == await publish(1, "--keeps-history")
    assert ["tea", 1] == json.loads(await line(tail.stdout))["args"]
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {SECRET}"}) as http:
        kept = (await http.get(f"{system.api}/api/v1/history", params={"room": "den"})).json()["messages"]
    assert [["tea", 1]] == [one["entry"]["args"] for one in kept]

    for gateway in ("gateway-1", "gateway-2"):
        await until(partial(has_killed, system, gateway), within_s=60)
    status, _, error = await publish(2)
    if status:
        assert "does not answer" in error
        await until(lambda: published_again(publish), within_s=60)
    assert ["tea", 2] == json.loads(await line(tail.stdout))["args"]
    assert 0 == await tail.wait()
    said = (await tail.stderr.read()).decode()
    assert "disconnected" in said
    assert re.search("^recovered on gateway-[12]: all missed events follow$", said, re.MULTILINE)
    assert "not recovered" not in said
    assert token.strip() not in said
    assert SECRET not in said


async def published_again(publish):
    return (await publish(2))[0] == 0


async def test_an_account_signs_in_a_guest_follows_and_refusals_are_sentences(system, tmp_path):
    credentials = {"username": "ben", "password": "correct horse"}
    async with httpx.AsyncClient(trust_env=False) as http:
        assert 201 == (await http.post(f"{system.url}/auth/register", json=credentials)).status_code
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    # Before the wrong password, after which the account has to wait.
    signed_in = await ran("token", system.url, "--username", "ben", "--password-file", str(password))
    wrong, strange, forbidden = await asyncio.gather(
        ran("token", system.url, "--username", "ben", ROOMWIRE_PASSWORD="wrong horse"),
        ran("token", system.api),
        ran("publish", system.api, "price", "--everyone", ROOMWIRE_TOKEN="x" * 40),
    )
    assert (0, "") == (signed_in[0], signed_in[2])
    assert (1, "") == wrong[:2]
    assert "/auth/login refused it, unauthenticated: " in wrong[2]
    assert (1, "") == strange[:2]
    assert (1, "") == forbidden[:2]
    assert "/api/v1/publish refused it, unauthenticated: " in forbidden[2]
    assert "horse" not in wrong[2]

    refused = await ran("tail", system.url)
    assert (1, "") == refused[:2]
    assert "(unauthenticated)" in refused[2]
    guest = await started("tail", system.url, "--guest", "--emit", '["join", "den"]')
    assert re.match("connected on gateway-[12] as ", await line(guest.stderr))
    assert [] != json.loads(await line(guest.stdout))["args"]
    guest.terminate()
    await guest.wait()
