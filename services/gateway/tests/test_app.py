"""The gateway put together."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys

import httpx
import pytest
from live import Client, Polling, served
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until

from roomwire.app.options import cors, recovery_limits
from roomwire.errors import ConfigurationError, Unavailable
from roomwire.identity.tokens import SigningKey, User
from roomwire.log.config import LogConfig
from roomwire.metrics.gateway import Metrics
from roomwire.recovery.decisions import RecoveryLimits
from roomwire_gateway import page
from roomwire_gateway.app import node
from roomwire_gateway.settings import Settings

KEY = SigningKey.generate()
ANN = User(id="account:1", name="Ann", kind="account")
PROCESS_S = 60.0
"""How long a process may take to start or to end: on a machine that has much else to do, half a minute."""


def test_authorities_that_cannot_be_read_are_a_sentence_that_names_their_setting(tmp_path):
    with pytest.raises(ConfigurationError, match=r"^ROOMWIRE_AUTH_JWKS_CA_FILE: .*/none: No such file"):
        node(Settings(redis_url="memory://", auth_jwks_ca_file=tmp_path / "none"))


@pytest.mark.parametrize(
    ("origins", "engine"),
    [
        pytest.param((), None, id="its own alone"),
        pytest.param(("*",), "*", id="any"),
        pytest.param(("https://a.example",), ["https://a.example"], id="one"),
    ],
)
def test_origins_are_told_in_the_engines_way(origins, engine):
    assert engine == cors(origins)


@pytest.mark.parametrize(
    ("settings", "origin", "allowed", "credentials"),
    [
        pytest.param({}, "https://elsewhere.example", None, None, id="nobody else by default"),
        pytest.param({"cors_origins": ("*",)}, "https://a.example", "https://a.example", None, id="any"),
        pytest.param(
            {"cors_origins": ("https://a.example",)},
            "https://a.example",
            "https://a.example",
            "true",
            id="one",
        ),
        pytest.param(
            {"cors_origins": ("https://a.example",)}, "https://b.example", None, None, id="another than that"
        ),
    ],
)
async def test_pages_of_other_origins_may_talk_to_it_as_set(gateway, settings, origin, allowed, credentials):
    running = await gateway(**settings)
    url = f"http://{running.address}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(url, headers={"Origin": origin})

    assert (200 if allowed else 400) == answer.status_code
    assert allowed == answer.headers.get("access-control-allow-origin")
    if allowed:
        assert credentials == answer.headers.get("access-control-allow-credentials")


async def test_the_page_and_socket_io_share_the_public_port(gateway):
    running = await gateway(page=True)
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{running.address}") as http:
        assert 200 == (await http.get("/")).status_code
        assert 404 == (await http.get("/nowhere")).status_code
        assert (await http.get("/socket.io/?EIO=4&transport=polling")).text.startswith("0{")


async def test_without_a_page_there_is_socket_io_alone(gateway):
    running = await gateway(page=False)
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{running.address}") as http:
        assert 404 == (await http.get("/")).status_code
        assert (await http.get("/socket.io/?EIO=4&transport=polling")).text.startswith("0{")


@pytest.mark.parametrize(
    ("transports", "status", "upgrades"),
    [
        pytest.param(("polling", "websocket"), 200, ["websocket"], id="both"),
        pytest.param(("polling",), 200, [], id="polling is not offered what would be refused"),
        pytest.param(("websocket",), 400, None, id="no polling"),
    ],
)
async def test_clients_connect_by_the_transports_that_are_set(gateway, transports, status, upgrades):
    running = await gateway(transports=transports)
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://{running.address}/socket.io/?EIO=4&transport=polling")

    assert status == answer.status_code
    assert upgrades is None or upgrades == json.loads(answer.text[1:])["upgrades"]


async def test_settings_reach_the_engine(gateway):
    running = await gateway(ping_interval_s=2, ping_timeout_s=2.5, max_body_bytes=5_000, node_name="n7")
    async with Client.open(running.address) as client:
        opening = await client.frame(lambda text: text.startswith("0"))

    handshake = json.loads(opening[1:])
    assert handshake["sid"].startswith("n7.")
    assert {"pingInterval": 2000, "pingTimeout": 2500, "maxPayload": 5000}.items() <= handshake.items()


async def test_settings_reachrecovery_limits(gateway):
    chosen = {"max_claims": 7, "claims_window_s": 8, "recovery_deadline_s": 9, "max_replay_messages": 2}
    running = await gateway(**chosen, max_replay_bytes=3_000, max_recoveries=4)
    config = running.app.server.log.config

    assert (7, 8, 9) == (config.max_claims, config.claims_window_s, config.claim_deadline_s)
    assert RecoveryLimits(max_entries=2, max_bytes=3_000, max_concurrent=4) == recovery_limits(
        Settings(**chosen, max_replay_bytes=3_000, max_recoveries=4)
    )
    async with Client.connected(running.address, headers={"User-Agent": "Mozilla/5.0"}) as client:
        pid = json.loads(next(frame for frame in client.frames if frame.startswith("40"))[2:])["pid"]
        await client.emit("joinRoom", {"roomId": "den", "userName": "Ann"})
    for number in range(3):
        await running.app.server.emit("n", number)
    async with Client.open(running.address, headers={"User-Agent": "Mozilla/5.0"}) as client:
        assert pid != (await client.connect({"pid": pid}))["pid"]
    assert 1 == running.metric("bounds_exceeded_total", bound="replay")


async def test_recovery_can_be_switched_off(gateway):
    running = await gateway(recovery=False)
    async with Client.open(running.address, headers={"User-Agent": "Mozilla/5.0"}) as client:
        assert ["sid"] == list(await client.connect())


def test_the_defaults_of_recovery_are_the_librarys():
    settings = Settings(redis_url="memory://")

    assert RecoveryLimits() == recovery_limits(settings)
    assert (LogConfig().max_claims, LogConfig().claims_window_s, LogConfig().claim_deadline_s) == (
        settings.max_claims,
        settings.claims_window_s,
        settings.recovery_deadline_s,
    )


async def test_a_client_is_pinged_and_parted_from_when_it_does_not_answer(gateway):
    running = await gateway(ping_interval_s=0.1, ping_timeout_s=0.2)
    async with Polling.open(running.address) as client:
        await client.post("40")
        while not (await client.poll()).endswith("2"):
            pass
        await until(lambda: running.metric("disconnects_total", reason="ping timeout"))


@pytest.fixture
async def jwks():
    """A real HTTP server with the public key."""
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    async with served(app) as address:
        yield f"http://{address}/jwks.json"


async def test_with_tokens_required_a_valid_one_comes_in_and_no_other(gateway, jwks):
    running = await gateway(auth_mode="required", auth_jwks_url=jwks)
    token = KEY.sign(ANN, issuer="roomwire", audience="roomwire", lifetime_s=60)
    async with Client.connected(running.address, {"token": token}) as client:
        assert ANN.id == running.app.server.member(client.sid).user.id
    async with Client.connected(running.address, headers={"Authorization": f"Bearer {token}"}) as client:
        assert ANN.id == running.app.server.member(client.sid).user.id
    for auth in (None, {"token": token[:-4]}):
        async with Client.open(running.address) as client:
            assert "unauthenticated" == (await client.connect(auth))["data"]["code"]
    assert 2 == running.metric("connects_total", outcome="unauthenticated")


async def test_while_tokens_cannot_be_checked_nobody_is_refused_for_good(gateway, free_port):
    running = await gateway(auth_mode="required", auth_jwks_url=f"http://127.0.0.1:{free_port}/jwks.json")
    token = KEY.sign(ANN, issuer="roomwire", audience="roomwire", lifetime_s=60)
    async with Client.open(running.address) as client:
        await client.send_frame('40{"token":"' + token + '"}')
        await client.ended()

        assert [] == [frame for frame in client.frames if frame.startswith("44")]


async def test_that_keys_could_not_be_fetched_is_forgotten_when_nobody_needs_them(
    gateway, free_port, monkeypatch
):
    now = 1_000.0
    monkeypatch.setattr("roomwire.app.node.Metrics", lambda: Metrics(clock=lambda: now))
    running = await gateway(auth_mode="required", auth_jwks_url=f"http://127.0.0.1:{free_port}/jwks.json")
    token = KEY.sign(ANN, issuer="roomwire", audience="roomwire", lifetime_s=60)
    async with Client.open(running.address) as client:
        await client.send_frame('40{"token":"' + token + '"}')
        await client.ended()
    noted = running.app.dependencies.causes()
    now += 300

    assert ({"keys": "refused"}, {}) == (noted, running.app.dependencies.causes())


async def test_check_tells_the_state_of_the_backplane(gateway, own_redis):
    running = await gateway(own_redis.url, redis_timeout_s=0.3)
    assert {"backplane": "ok"} == await running.app.check()

    own_redis.kill()
    assert {"backplane": "degraded"} == await running.app.check()
    await until(lambda: not running.metric("backplane_up"))

    own_redis.start()
    await until(lambda: running.metric("backplane_up"))
    assert {"backplane": "ok"} == await running.app.check()


async def test_a_gateway_alone_needs_no_redis(gateway):
    running = await gateway("memory://")

    assert {"backplane": "ok"} == await running.app.check()


async def test_draining_parts_from_all_clients(gateway):
    running = await gateway(drain_s=0)
    async with Client.connected(running.address) as client:
        assert 1 == running.metric("connections", transport="websocket")
        await running.app.drain()
        await client.ended()

        assert 0 == running.metric("connections", transport="websocket")
        assert [] == [frame for frame in client.frames if frame.startswith("41")]


async def test_closing_is_right_after_a_failed_start_and_idempotent(free_port):
    app = node(
        Settings(
            redis_url=f"redis://127.0.0.1:{free_port}/0", redis_timeout_s=0.3, page=False, node_name="n1"
        )
    )
    with pytest.raises(Unavailable):
        await app.start()
    await app.close()
    await app.close()


def test_a_page_that_was_not_installed_stops_the_gateway_before_it_starts(monkeypatch, tmp_path):
    monkeypatch.setattr(page, "WEB", tmp_path)
    with pytest.raises(ConfigurationError, match="ROOMWIRE_PAGE=false"):
        node(Settings(redis_url="memory://"))


def environment(**variables):
    known = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    return known | {f"ROOMWIRE_{name}": str(value) for name, value in variables.items()}


def test_check_config_of_the_gateway_shows_no_password():
    ended = subprocess.run(
        [sys.executable, "-m", "roomwire_gateway", "check-config"],
        env=environment(REDIS_URL="redis://:hunter2@host/0", PAGE="false"),
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )

    assert (0, "") == (ended.returncode, ended.stderr)
    assert "ROOMWIRE_REDIS_URL=redis://********@host/0" in ended.stdout
    assert "hunter2" not in ended.stdout


@pytest.mark.parametrize(
    ("application", "status", "said"),
    [
        ("App(Plain)", 0, ""),
        ("Plain", 1, "gateway: import: other:app is a class, not an App: write app = App(...)\n"),
    ],
    ids=["an application", "none"],
)
def test_an_application_that_is_named_takes_the_place_of_the_chat(tmp_path, application, status, said):
    (tmp_path / "other.py").write_text(
        f"from roomwire import App, Gateway\n\n\nclass Plain(Gateway): ...\n\n\napp = {application}\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "roomwire_gateway", "check-config"],
        cwd=tmp_path,
        env=environment(REDIS_URL="memory://", APP="other:app"),
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )

    assert (status, said) == (ended.returncode, ended.stderr)


async def test_the_chats_process_loads_the_api_only_where_it_is_on():
    report = "import roomwire_gateway.__main__, sys; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", report, stdout=asyncio.subprocess.PIPE
    )
    modules = set((await process.communicate())[0].decode().split())

    assert "roomwire_gateway.chat" in modules
    assert set() == modules & {"roomwire.app.api", "roomwire_gateway.actions", "fastapi"}


async def test_a_gateway_process_serves_until_it_is_told_to_stop(free_port, free_port_factory, own_redis):
    ops_port = free_port_factory()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomwire_gateway",
        env=environment(
            PORT=free_port,
            OPS_PORT=ops_port,
            REDIS_URL=own_redis.url,
            AUTH_MODE="off",
            PAGE="false",
            DRAIN_S="0.1",
            NODE_NAME="alone",
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{ops_port}") as http:

            async def ready():
                with contextlib.suppress(httpx.TransportError):
                    answer = (await http.get("/readyz")).json()
                    return answer if answer["status"] == "ready" else None
                return None

            # Beside it may stand that the event loop is late: the machine is busy.
            assert {"backplane": "ok"}.items() <= (await until(ready, within_s=PROCESS_S)).items()
            async with Client.connected(f"127.0.0.1:{free_port}") as client:
                assert client.frames[0].startswith('0{"sid":"alone.')
                assert 'roomwire_connections{transport="websocket"} 1.0' in (await http.get("/metrics")).text
                process.send_signal(signal.SIGTERM)
                await client.ended()
                assert [] == [frame for frame in client.frames if frame.startswith("41")]
        output, _ = await asyncio.wait_for(process.communicate(), PROCESS_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert 0 == process.returncode
    lines = [json.loads(line) for line in output.decode().splitlines()]
    assert ["starting", "ready", "draining", "stopped"] == [
        line["event"] for line in lines if line["logger"] == "roomwire.serving.process"
    ]
    assert {"alone"} == {line["node"] for line in lines}
