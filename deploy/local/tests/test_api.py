"""The HTTP API of a system as `make up` starts it, with official clients."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess

import httpx
import jwt
import pytest
from clients import Client
from documents import ROOT, programs
from needs import need
from waiting import until

from roomwire_local.free_ports import free_port, free_ports
from roomwire_local.system import HOST, local_system

SECRET = "k" * 40
SECRET_OF_THE_PAGE = "p" * 40
PAGE = programs(ROOT / "docs" / "api.md", "sh")
ROLE = re.search(r'ROOMWIRE_API_KEYS="shop (\w+) ', PAGE[0])[1]
KEYS = f"reports service {SECRET}\nshop {ROLE} {SECRET_OF_THE_PAGE}"
ROOM = {"roomId": "den", "userName": "Ann"}


@pytest.fixture
async def api(tmp_path):
    """A system, and a function that calls a gateway's API."""
    port, _ = free_ports(2)
    settings = {"ROOMWIRE_API_PORT": str(port), "ROOMWIRE_API_KEYS": KEYS}
    async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {SECRET}"}) as http:
        with local_system(tmp_path, free_port(), **settings) as system:

            async def call(gateway, method, path, **options):
                number = int(gateway.rpartition("-")[2])
                url = f"http://{HOST}:{port + number - 1}/api/v1{path}"
                response = await http.request(method, url, **options)
                assert response.status_code == 200, response.text
                return response.json()

            call.system, call.http, call.url = system, http, f"http://{HOST}:{port}"
            yield call


async def until_it_holds(ask, holds):
    """Ask until the answer is as it should be; returns it."""

    async def answer():
        found = await ask()
        return (found,) if holds(found) else None

    return (await until(answer, within_s=20))[0]


def keys(value):
    """Return the names of all fields in a value."""
    if isinstance(value, dict):
        return {*value}.union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


async def test_the_calls_of_the_page_work_and_answer_as_it_says(api, clients, tmp_path):
    need(shutil.which("curl"), "curl")
    (code,) = [code for code in PAGE if "curl" in code]
    guest = (await api.http.post(f"{api.system.url}/auth/guest", json={"name": "Ann"})).json()
    ann = await clients.connect(
        api.system.url, transports=["websocket"], auth={"token": guest["access_token"]}
    )
    await ann.emit("joinRoom", ROOM)
    await ann.emit("chatMessage", ROOM | {"message": "hi"})
    user = jwt.decode(guest["access_token"], options={"verify_signature": False})["sub"]
    (tmp_path / "key").write_text(f"{SECRET_OF_THE_PAGE}\n", encoding="utf-8")
    written = code.replace("http://127.0.0.1:8010", api.url).replace("account:5d0c…", user)
    written = written.replace("curl ", "curl --silent --show-error --fail-with-body --write-out '\\n' ")

    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-eu"],
        input=written,
        cwd=tmp_path,
        env=os.environ | {"NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    shown = {*re.findall(r'"(\w+)":', "".join(re.findall(r"^# .*$", code, re.MULTILINE)))}
    assert shown == keys([json.loads(line) for line in done.stdout.splitlines()])
    await ann.wait_for_event("price", "tea", 3.5)
    await ann.wait_for_event("shipped", {"order": 17})
    await ann.wait_for_event("notice", "closing soon")


async def test_the_pages_backend_reaches_the_next_gateway_when_one_was_killed(api, clients):
    system = api.system
    ann = await clients.connect(system.url, transports=["websocket"])
    await ann.emit("joinRoom", ROOM)
    (code,) = [code for code in programs(ROOT / "docs" / "api.md", "python") if "def publish(" in code]
    names = {"__name__": "page"}
    exec(compile(code, "api.md", "exec"), names)
    addresses = [f"http://{HOST}:{free_port()}", api.url]

    async def publish(number):
        message = {"room": "den", "event": "price", "args": [number], "id": f"price-{number}"}
        return await asyncio.to_thread(names["publish"], addresses, SECRET, message)

    for number in (1, 1, 2):
        assert api.url == await publish(number)

    await ann.wait_for_event("price", 2)
    assert [1, 2] == prices(ann)
    addresses.pop()
    with pytest.raises(ConnectionError):
        await publish(3)


def prices(client: Client) -> list[object]:
    """Return what a client has heard, without the offset that follows it."""
    return [event[1] for event in client.events if event[0] == "price"]


async def test_a_backend_speaks_to_official_clients_also_to_those_whose_gateway_was_killed(api, clients):
    system = api.system
    ann = await clients.connect(system.url, transports=["websocket"])
    await ann.emit("joinRoom", ROOM)
    doomed = await ann.gateway()
    (other,) = {"gateway-1", "gateway-2"} - {doomed}

    async def publish(number):
        body = {"messages": [{"room": "den", "event": "price", "args": [number], "id": f"price-{number}"}]}
        await api(other, "POST", "/publish", json=body)

    async def member():
        found = await api(other, "GET", "/presence", params={"room": "den"})
        return [(one["name"], one["gateway"], one["connected"]) for one in found["members"]]

    await publish(1)
    await ann.wait_for_event("price", 1)
    assert [("Ann", doomed, True)] == await member()

    os.kill(system.pid_of(doomed), signal.SIGKILL)
    for number in (2, 2, 3):
        await publish(number)
    # Away at first, unless it was faster; never gone, and never still there.
    seen = await member()
    assert seen in ([("Ann", doomed, False)], [("Ann", other, True)], [("Ann", doomed, True)])
    await until_it_holds(member, lambda members: members and members[0][2])
    await ann.wait_for_event("price", 3)
    assert [1, 2, 3] == prices(ann)
    assert (await ann.state())["recovered"]


async def test_the_ingress_does_not_show_the_api(api):
    response = await api.http.get(f"{api.system.url}/api/v1/rooms")
    assert 404 == response.status_code
