"""The service put together, as the process around it sees it."""

import pytest

from roomwire.errors import ConfigurationError, Unavailable
from roomwire_auth.app import AuthApp
from roomwire_auth.settings import Settings


@pytest.fixture
async def open_app():
    opened = []

    def open_(settings):
        opened.append(AuthApp(settings))
        return opened[-1]

    yield open_
    for app in opened:
        await app.close()


async def test_it_starts_where_redis_answers(open_app, settings):
    app = open_app(settings)

    await app.start()

    assert {"store": "ok"} == await app.check()


async def test_without_redis_it_does_not_start_and_says_that_it_is_degraded(open_app, settings, free_port):
    app = open_app(Settings(redis_url=f"redis://127.0.0.1:{free_port}", signing_key=settings.signing_key))

    with pytest.raises(Unavailable):
        await app.start()

    assert {"store": "degraded"} == await app.check()


async def test_there_is_nothing_to_drain(open_app, settings):
    await open_app(settings).drain()


async def test_closing_twice_is_closing_once_even_if_it_never_started(open_app, settings):
    app = open_app(settings)

    await app.close()
    await app.close()


def test_without_a_signing_key_it_says_how_to_make_one(settings):
    with pytest.raises(ConfigurationError, match="python -m roomwire_auth new-key"):
        AuthApp(settings.model_copy(update={"signing_key": None}))


def test_a_signing_key_that_is_none_is_a_sentence(redis_url):
    with pytest.raises(ConfigurationError, match="not an Ed25519 private key"):
        AuthApp(Settings(redis_url=redis_url, signing_key="not a key"))
