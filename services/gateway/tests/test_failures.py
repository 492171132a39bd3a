"""Why a service does not start to serve: real processes, real servers that refuse them."""

import contextlib
import json
import ssl

import pytest
import redis
from flaky_proxy import Proxy
from service_process import running
from waiting import until

from roomwire.identity.tokens import SigningKey
from roomwire_local.certificates import Authority

PASSWORD = "correct-horse"
WRONG = "battery-staple"
SERVICES = ("gateway", "auth")
NAMES = {"gateway": {"history", "redis"}, "auth": {"store"}}


@pytest.fixture
def process(tmp_path):
    """Return what runs a service that does not get ready."""
    key = tmp_path / "signing-key.pem"
    key.write_text(SigningKey.generate().to_pem())

    def start(service, redis_url, **settings):
        own = {"auth_mode": "off", "page": False} if service == "gateway" else {"signing_key_file": key}
        chosen = own | {"redis_url": redis_url, "redis_timeout_s": 2, "log_format": "json"} | settings
        return running(service, tmp_path / f"{service}.log", waits=False, **chosen)

    return start


@contextlib.asynccontextmanager
async def wrong_password(own_redis, _, __):
    with redis.Redis.from_url(own_redis.url) as admin:
        admin.config_set("requirepass", PASSWORD)
    yield f"redis://:{WRONG}@127.0.0.1:{own_redis.port}/0", "WRONGPASS"


@contextlib.asynccontextmanager
async def no_password(own_redis, _, __):
    with redis.Redis.from_url(own_redis.url) as admin:
        admin.config_set("requirepass", PASSWORD)
    yield own_redis.url, "NOAUTH"


@contextlib.asynccontextmanager
async def unknown_name(_, __, ___):
    yield "redis://redis.invalid:6379/0", "redis.invalid"


@contextlib.asynccontextmanager
async def nobody_listens(_, __, free_port):
    yield f"redis://127.0.0.1:{free_port}/0", "111"


@contextlib.asynccontextmanager
async def another_authority(own_redis, tmp_path, _):
    ours, theirs = tmp_path / "ours.pem", tmp_path / "theirs.pem"
    ours.write_text(Authority().pem)
    theirs.write_text("".join(Authority().issue("127.0.0.1")))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(theirs)
    async with Proxy(own_redis.port, tls) as proxy:
        yield f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={ours}", "CERTIFICATE_VERIFY_FAILED"


@contextlib.asynccontextmanager
async def silence(own_redis, _, __):
    async with Proxy(own_redis.port) as proxy:
        proxy.hold()
        yield proxy.url, ""


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("breakage", "cause"),
    [
        (wrong_password, "wrong_password"),
        (no_password, "wrong_password"),
        (unknown_name, "unknown_name"),
        (nobody_listens, "refused"),
        (another_authority, "tls"),
        (silence, "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_a_service_that_cannot_reach_redis_says_why_once_and_without_the_secret(
    process, own_redis, tmp_path, free_port, service, breakage, cause
):
    async with breakage(own_redis, tmp_path, free_port) as (url, said), process(service, url) as waiting:
        await until(lambda: len(waiting.lines("waiting for what this service depends on")) == 1)
        (waits,) = waiting.lines("waiting for what this service depends on")
        downs = [line for line in waiting.lines("dependency down") if line["dependency"] in NAMES[service]]
        readyz = await waiting.readyz()
        metrics = await waiting.scrape()

    assert cause == waits["cause"]
    assert said in waits["detail"]
    assert {cause} == {line["cause"] for line in downs}
    assert "starting" == readyz["status"]
    assert {cause} == {readyz["causes"][name] for name in NAMES[service] & readyz["causes"].keys()}
    assert f'cause="{cause}",dependency="{downs[0]["dependency"]}"}} 1.0' in metrics
    # Every line, also those of the tries since then.
    assert len(waiting.lines("waiting for what this service depends on")) == 1
    assert PASSWORD not in waiting.log
    assert WRONG not in waiting.log
    assert json.dumps(readyz).find(WRONG) == -1
