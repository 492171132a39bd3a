"""Breaks each way in which the service fails to serve, for real: seen in the log, metrics, `/readyz`, an alert and a panel.

Processes and servers are real, and promtool gets what the processes export.
"""

import contextlib
import json
import shutil
import ssl

import failures
import httpx
import pytest
import redis
from chart import ROOT, SIZES, install
from failures import FAILURES, table
from flaky_proxy import Proxy
from live import Client, Polling, served
from needs import need
from recording import Recording
from redis_homes import eventually
from service_process import running
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until
from wrong_clock import COMPILER, wrong_clock

from roomwire.identity.tokens import SigningKey, User
from roomwire_local.certificates import Authority

pytestmark = pytest.mark.failures

KEY = SigningKey.generate()
OPEN = {"auth_mode": "off", "page": False}
SECRET = "battery-staple"
BEFORE = 6
PROMTOOL = shutil.which("promtool")


@pytest.fixture(scope="module")
def rules():
    return install(SIZES["everything"]).one("PrometheusRule", "chat-roomwire")["spec"]


@pytest.fixture
def broken(rules, tmp_path):
    """Return a function that judges the recording of a failure."""
    need(PROMTOOL, "promtool (Debian: apt-get install prometheus)")

    def judge(failure, recording, *, within_s=None, dashboard="gateways"):
        recording.check(
            tmp_path,
            rules,
            alert=failure.alert,
            panel=failure.panel,
            dashboard=dashboard,
            within_s=within_s,
        )
        first = recording.values_at(recording.broken_from)
        assert any(name.startswith(failure.metric) for name in first) or failure.metric == "roomwire_ready"

    return judge


@pytest.fixture
async def start(tmp_path):
    """Return a function that starts services; a healthy service has been recorded `BEFORE` times."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(service, **settings):
            chosen = {"log_format": "json", "redis_timeout_s": 0.5} | settings
            log = tmp_path / f"{service}.log"
            return await stack.enter_async_context(running(service, log, **chosen))

        yield start


async def healthy(process, name="gateway"):
    recording = Recording()
    recording.add(**{name: await process.scrape()})
    recording.hold(BEFORE - 1)
    recording.mark()
    return recording


async def says(process, failure):
    """Wait until a process reports the failure, in its log and in `/readyz`."""

    async def field():
        causes = (await process.readyz()).get("causes", {})
        return failure.field in {f"{name}: {cause}" for name, cause in causes.items()}

    if failure.field:
        await eventually(field)
    if failure.log:
        await until(lambda: process.lines(failure.log))


@contextlib.asynccontextmanager
async def publishing(*keys):
    """Serve the public keys of tokens."""
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": list(keys)}))])
    async with served(app) as address:
        yield f"http://{address}/jwks.json"


def token():
    user = User(id="account:1", name="Ann", kind="account")
    return KEY.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=600)


async def knock(process):
    """Connect with a token; the test judges the outcome."""
    async with Client.open(process.address) as client:
        await client.send_frame("40" + json.dumps({"token": token()}))
        # The client may be admitted, refused, or lose its transport.
        with contextlib.suppress(AssertionError):
            await client.frame(lambda text: text.startswith(("40", "44")))


def admin(server):
    return redis.Redis(port=server.port)


async def test_when_redis_is_full_it_is_said_within_a_minute_until_it_has_room_and_connections_stay(
    start, own_redis, broken
):
    gateway = await start("gateway", redis_url=own_redis.url, **OPEN)
    async with Client.connected(gateway.address) as client:
        recording = await healthy(gateway)
        with admin(own_redis) as asked:
            asked.config_set("maxmemory", 1)
        for number in range(5):
            message = {"roomId": "den", "userName": "Ann", "message": str(number)}
            refused = await client.emit("chatMessage", message)
            assert "unavailable" == refused["error"]["code"]
            recording.add(gateway=await gateway.scrape())
        await says(gateway, failures.REDIS_FULL)
        readyz = await gateway.readyz()
        refusals = await gateway.metric("roomwire_publishes_total", outcome="unavailable")
        assert "41" not in client.frames

        with admin(own_redis) as asked:
            asked.config_set("maxmemory", 0)

        async def recovered():
            # This holds although no client sends anything.
            return "redis_writes" not in (await gateway.readyz()).get("causes", {})

        await eventually(recovered, within_s=40)
        recording.mend()
        recording.add(gateway=await gateway.scrape())
        recording.hold(2)

    assert ("ready", "degraded") == (readyz["status"], readyz["backplane"])
    assert 5 == refusals
    # The line is written once, and not for each message.
    assert 1 == len([line for line in gateway.lines("dependency down") if line["cause"] == "full"])
    broken(failures.REDIS_FULL, recording, within_s=30)


async def test_when_redis_is_nearly_full_there_is_a_warning_before_it_is(start, own_redis, broken):
    gateway = await start("gateway", redis_url=own_redis.url, **OPEN)
    with admin(own_redis) as asked:
        used = asked.info("memory")["used_memory"]
        asked.config_set("maxmemory", 10 * used)

        async def seen(at_most):
            most = await gateway.metric("roomwire_redis_memory_max_bytes")
            return 0 < most <= at_most

        await eventually(lambda: seen(10 * used))
        recording = await healthy(gateway)
        asked.config_set("maxmemory", int(used * 1.1))
        await eventually(lambda: seen(used * 1.1))
    await says(gateway, failures.REDIS_MEMORY)
    recording.add(gateway=await gateway.scrape())
    recording.hold(6)

    broken(failures.REDIS_MEMORY, recording)


async def test_when_memory_of_redis_is_scarce_new_guests_are_refused_and_the_others_speak_on(
    start, own_redis, broken
):
    gateway = await start("gateway", redis_url=own_redis.url, **OPEN)
    message = {"roomId": "den", "userName": "Ann", "message": "hi"}
    async with Client.connected(gateway.address) as client:
        await client.emit("joinRoom", {"roomId": "den", "userName": "Ann"})
        recording = await healthy(gateway)
        with admin(own_redis) as asked:
            asked.setrange("ballast", 32 << 20, "x")
            asked.config_set("maxmemory", int(asked.info("memory")["used_memory"] / 0.75))
        await says(gateway, failures.REDIS_GUARD)
        refused = await client.emit("chatMessage", message | {"roomId": "another"})
        assert "unavailable" == refused["error"]["code"]
        assert "Message sent to room" == await client.emit("chatMessage", message)
        readyz = await gateway.readyz()
        recording.add(gateway=await gateway.scrape())
        recording.hold(4)
        with admin(own_redis) as asked:
            asked.config_set("maxmemory", 0)

        async def recovered():
            return "redis_memory" not in (await gateway.readyz()).get("causes", {})

        await eventually(recovered, within_s=40)

    assert "ready" == readyz["status"]
    broken(failures.REDIS_GUARD, recording)


async def test_when_redis_refuses_connections_it_is_said_within_a_minute(start, own_redis, broken):
    gateway = await start("gateway", redis_url=own_redis.url, **OPEN)
    recording = await healthy(gateway)
    own_redis.kill()
    await says(gateway, failures.REDIS_REFUSED)
    recording.add(gateway=await gateway.scrape())
    recording.hold(4)

    broken(failures.REDIS_REFUSED, recording, within_s=30)


@pytest.mark.parametrize(
    "failure",
    [failures.WRONG_PASSWORD, failures.UNKNOWN_NAME, failures.WRONG_TLS],
    ids=lambda failure: failure.field,
)
async def test_gateways_that_cannot_begin_say_why_and_an_alert_says_that_none_is_ready(
    start, own_redis, tmp_path, broken, failure
):
    if failure is failures.WRONG_PASSWORD:
        with admin(own_redis) as asked:
            asked.config_set("requirepass", "correct-horse")
        url = f"redis://:{SECRET}@127.0.0.1:{own_redis.port}/0"
    elif failure is failures.UNKNOWN_NAME:
        url = "redis://redis.invalid/0"
    else:
        url = None
    ours = tmp_path / "ours.pem"
    ours.write_text(Authority().pem)
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            proxy = await stack.enter_async_context(Proxy(own_redis.port, _other_authority(tmp_path)))
            url = f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={ours}"
        gateway = await start("gateway", redis_url=url, waits=False, redis_timeout_s=3, **OPEN)
        await says(gateway, failure)
        recording = Recording()
        # Nothing was exported before: the processes are those of an install, or of an upgrade that has replaced all.
        recording.add(gateway=await gateway.scrape())
        recording.hold(4)

    assert SECRET not in gateway.log
    broken(failure, recording, within_s=30)


def _other_authority(folder):
    theirs = folder / "theirs.pem"
    theirs.write_text("".join(Authority().issue("127.0.0.1")))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(theirs)
    return tls


async def test_when_revocations_cannot_be_read_it_is_said(start, own_redis, broken):
    async with publishing(KEY.public_jwk()) as keys:
        gateway = await start("gateway", redis_url=own_redis.url, auth_jwks_url=keys)
        recording = await healthy(gateway)
        with admin(own_redis) as asked:
            asked.execute_command("ACL", "SETUSER", "default", "-xrange")
        await says(gateway, failures.REVOCATIONS)
        recording.add(gateway=await gateway.scrape())
        recording.hold(4)

    broken(failures.REVOCATIONS, recording)


async def test_when_no_gateway_is_there_it_is_said_within_a_minute(start, redis_url, broken, tmp_path):
    async with running(
        "gateway", tmp_path / "one.log", redis_url=redis_url, log_format="json", **OPEN
    ) as gateway:
        recording = await healthy(gateway)
    for _ in range(5):
        recording.add()
    await says(gateway, failures.NO_GATEWAY)

    broken(failures.NO_GATEWAY, recording, within_s=30)


async def test_when_another_gateway_has_the_node_name_it_is_said(start, redis_url, broken):
    gateway = await start("gateway", redis_url=redis_url, node_name="twin", **OPEN)
    recording = await healthy(gateway)
    with redis.Redis.from_url(redis_url) as asked:
        asked.hset("rw:{0}:registry", "twin", "99999999999999 twin.another 10.0.0.1:7000")
    await says(gateway, failures.NAME_TAKEN)
    recording.add(gateway=await gateway.scrape())
    recording.hold(4)

    broken(failures.NAME_TAKEN, recording)


async def test_when_auth_is_down_it_is_said_within_a_minute(redis_url, broken, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text(KEY.to_pem())
    async with running(
        "auth", tmp_path / "auth.log", redis_url=redis_url, log_format="json", signing_key_file=key
    ) as auth:
        recording = await healthy(auth, "auth")
    for _ in range(5):
        recording.add()
    await says(auth, failures.AUTH_DOWN)

    broken(failures.AUTH_DOWN, recording, within_s=30, dashboard="auth")


async def test_when_auths_redis_is_away_it_is_said_within_a_minute(start, own_redis, broken, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text(KEY.to_pem())
    auth = await start("auth", redis_url=own_redis.url, signing_key_file=key)
    recording = await healthy(auth, "auth")
    own_redis.kill()
    await says(auth, failures.AUTH_STORE)
    recording.add(auth=await auth.scrape())
    recording.hold(4)

    broken(failures.AUTH_STORE, recording, within_s=30, dashboard="auth")


async def test_when_the_keys_of_tokens_cannot_be_fetched_it_is_said_within_a_minute(
    start, redis_url, free_port, broken
):
    url = f"http://127.0.0.1:{free_port}/jwks.json"
    gateway = await start("gateway", redis_url=redis_url, auth_jwks_url=url)
    recording = await healthy(gateway)
    await knock(gateway)
    await says(gateway, failures.KEYS_AWAY)
    recording.add(gateway=await gateway.scrape())
    recording.hold(4)

    broken(failures.KEYS_AWAY, recording, within_s=30)


async def test_when_published_keys_are_refused_it_is_said(start, redis_url, broken):
    private = {**KEY.public_jwk(), "kid": "private", "d": "c2VjcmV0"}
    async with publishing(KEY.public_jwk(), private) as keys:
        gateway = await start("gateway", redis_url=redis_url, auth_jwks_url=keys)
        recording = await healthy(gateway)
        await knock(gateway)
        await says(gateway, failures.KEYS_REFUSED)
        recording.add(gateway=await gateway.scrape())
        recording.hold(34)

    broken(failures.KEYS_REFUSED, recording)


async def test_when_signing_keys_were_rotated_into_garbage_it_is_said_and_the_old_ones_sign(
    start, redis_url, broken, tmp_path
):
    key = tmp_path / "key.pem"
    key.write_text(KEY.to_pem())
    auth = await start("auth", redis_url=redis_url, signing_key_file=key)
    recording = await healthy(auth, "auth")
    key.write_text('{"keys": [{"signs_from": 1}]}')
    await says(auth, failures.ROTATION)
    recording.add(auth=await auth.scrape())
    recording.hold(4)
    async with httpx.AsyncClient(trust_env=False) as http:
        guest = await http.post(f"http://{auth.address}/auth/guest")

    assert guest.is_success
    broken(failures.ROTATION, recording, dashboard="auth")


@pytest.mark.parametrize(
    ("failure", "behind_s"),
    [(failures.CLOCK, 20), (failures.NEWCOMERS, 90)],
    ids=["within the leeway", "beyond it"],
)
async def test_when_a_clock_is_wrong_it_is_said_within_a_minute(
    start, redis_url, broken, tmp_path, failure, behind_s
):
    need(COMPILER, "a C compiler: apt-get install gcc libc6-dev")
    async with publishing(KEY.public_jwk()) as keys:
        right = await start("gateway", redis_url=redis_url, auth_jwks_url=keys, node_name="right")
        await knock(right)
        recording = await healthy(right)
        wrong = await start(
            "gateway",
            redis_url=redis_url,
            auth_jwks_url=keys,
            node_name="wrong",
            environ=wrong_clock(tmp_path, ahead_s=-behind_s),
        )
        for _ in range(5):
            await knock(wrong)
            recording.add(gateway=await wrong.scrape())
        await says(wrong, failure)

    broken(failure, recording, within_s=30)


async def test_when_the_event_loop_is_late_it_is_said_within_a_minute(start, redis_url, broken):
    gateway = await start("gateway", redis_url=redis_url, **OPEN)
    recording = await healthy(gateway)
    gateway.pause()
    await gateway.stopped_for(2.5)
    gateway.resume()
    await says(gateway, failures.LOOP_LATE)
    recording.add(gateway=await gateway.scrape())
    recording.hold(4)

    broken(failures.LOOP_LATE, recording, within_s=30)


async def test_clients_that_do_not_read_are_evicted_and_many_of_them_are_said(start, redis_url, broken):
    gateway = await start(
        "gateway", redis_url=redis_url, max_unread_bytes=10_000, unread_timeout_s=0.5, **OPEN
    )
    recording = await healthy(gateway)
    evicted = 0
    for _ in range(2):
        async with Client.connected(gateway.address) as speaker, contextlib.AsyncExitStack() as deaf:
            for _ in range(45):
                client = await deaf.enter_async_context(Polling.open(gateway.address))
                await client.post("40")
                await client.poll()
            for _ in range(4):
                await speaker.emit("message", "x" * 4_000)
            evicted += 45
            await eventually(lambda evicted=evicted: _counted(gateway, evicted))
        recording.add(gateway=await gateway.scrape())
    recording.go_on(45)
    await says(gateway, failures.EVICTED)

    assert "slow consumer" in {line["reason"] for line in gateway.lines("connection closed")}
    broken(failures.EVICTED, recording)


async def _counted(gateway, number):
    return await gateway.metric("roomwire_bounds_exceeded_total", bound="unread_bytes") >= number


async def test_when_a_gateway_is_full_it_is_said_within_a_minute(start, redis_url, free_port_factory, broken):
    # The panel also shows the ports of the API and of the relay.
    gateway = await start(
        "gateway",
        redis_url=redis_url,
        max_connections=1,
        api_port=free_port_factory(),
        api_keys="test user " + "k" * 40,
        relay_port=free_port_factory(),
        relay_secret="r" * 32,
        **OPEN,
    )
    recording = await healthy(gateway)
    async with Client.connected(gateway.address):
        for _ in range(5):
            async with httpx.AsyncClient(trust_env=False) as http:
                refused = await http.get(f"http://{gateway.address}/")
            assert httpx.codes.SERVICE_UNAVAILABLE == refused.status_code
            recording.add(gateway=await gateway.scrape())
        await says(gateway, failures.REFUSED)

    broken(failures.REFUSED, recording, within_s=60)


async def test_when_other_gateways_are_not_reached_it_is_said(start, redis_url, free_port_factory, broken):
    first, second = [
        await start(
            "gateway",
            redis_url=redis_url,
            node_name=name,
            relay_port=free_port_factory(),
            relay_secret=secret * 32,
            **OPEN,
        )
        for name, secret in (("first", "a"), ("second", "b"))
    ]
    recording = await healthy(second)
    async with httpx.AsyncClient(trust_env=False) as http:
        polling = "/socket.io/?EIO=4&transport=polling"
        opened = await http.get(f"http://{first.address}{polling}")
        sid = json.loads(opened.text[1:])["sid"]
        for _ in range(6):
            refused = await http.get(f"http://{second.address}{polling}&sid={sid}")
            assert httpx.codes.BAD_REQUEST == refused.status_code
            recording.add(gateway=await second.scrape())
    await says(second, failures.RELAY)

    broken(failures.RELAY, recording)


def test_the_runbook_has_a_row_for_each_failure():
    assert table() in (ROOT / "docs/runbook.md").read_text()


def test_each_failure_has_an_alert_and_is_tested(rules):
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    assert {one.alert for one in FAILURES} <= alerts
