"""What `make up` starts, behind HAProxy, nginx and Traefik that end TLS, with nothing set at all.

Only the address of a client needs `ROOMWIRE_TRUSTED_PROXIES`: without it, it is the proxy's.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pages import chromium, gateway_of, talk, two_people
from playwright.sync_api import Browser, expect
from tls_proxies import CONFIGS, ending_tls

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST, LocalSystem, local_system

pytestmark = [pytest.mark.proxies, pytest.mark.browser]
# A loopback address that is no proxy's: by it a client is told from all others here.
CLIENT = "127.0.0.2"


@pytest.fixture(scope="module")
def browser(chromium_path: str | None) -> Iterator[Browser]:
    with chromium(chromium_path) as running:
        yield running


@contextlib.contextmanager
def running(folder: Path, **settings: str) -> Iterator[LocalSystem]:
    with local_system(folder, free_port(), **settings) as system:
        yield system


@pytest.fixture(scope="module")
def untold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system as `make up` starts it."""
    with running(tmp_path_factory.mktemp("untold")) as system:
        yield system


@pytest.fixture(scope="module")
def own_page_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """One that takes its own page only, and trusts no proxy: the services' defaults, where `make up` has others."""
    settings = {"ROOMWIRE_CORS_ORIGINS": "", "ROOMWIRE_TRUSTED_PROXIES": ""}
    with running(tmp_path_factory.mktemp("own"), **settings) as system:
        yield system


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """One that trusts what stands in front of it."""
    with running(tmp_path_factory.mktemp("trusting"), ROOMWIRE_TRUSTED_PROXIES=HOST) as system:
        yield system


@pytest.mark.parametrize("proxy", CONFIGS)
@pytest.mark.parametrize("name", ["untold", "own_page_only", "trusting"])
def test_the_page_chats_over_https_behind_a_proxy(
    browser: Browser, request: pytest.FixtureRequest, tmp_path: Path, proxy: str, name: str
):
    system: LocalSystem = request.getfixturevalue(name)
    with ending_tls(proxy, tmp_path, system.port) as port:
        url = f"https://localhost:{port}/"
        ann, bob = two_people(browser, url, f"{proxy}-{name}", ignore_https_errors=True)
        assert gateway_of(ann) != gateway_of(bob)
        for page in (ann, bob):
            expect(page.get_by_test_id("transport")).to_have_text("websocket")
        talk([ann, bob], "by https", "and back")
        for page in (ann, bob):
            page.context.close()


def lines(system: LocalSystem, event: str, user: str) -> list[dict[str, Any]]:
    """Return what the services have logged of an event of a user."""
    logged = [line.partition(" | ")[2] for line in system.log.splitlines() if f'"{event}"' in line]
    return [line for line in map(json.loads, logged) if line["event"] == event and line["user"] == user]


@pytest.mark.parametrize("proxy", CONFIGS)
@pytest.mark.parametrize(("name", "address"), [("untold", HOST), ("trusting", CLIENT)])
def test_the_address_of_a_client_is_known_where_the_proxy_is_trusted_and_only_there(
    request: pytest.FixtureRequest, tmp_path: Path, proxy: str, name: str, address: str
):
    system: LocalSystem = request.getfixturevalue(name)
    with (
        ending_tls(proxy, tmp_path, system.port) as port,
        httpx.Client(
            transport=httpx.HTTPTransport(local_address=CLIENT, verify=False),
            base_url=f"https://{HOST}:{port}",
            # What it claims itself is believed nowhere.
            headers={"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"},
        ) as http,
    ):
        guest = http.post("/auth/guest", json={"name": "Ann"}).json()
        polling = "/socket.io/?EIO=4&transport=polling"
        polling += f"&sid={json.loads(http.get(polling).text[1:])['sid']}"
        assert "ok" == http.post(polling, content="40" + json.dumps({"token": guest["access_token"]})).text
        assert http.get(polling).text.startswith("40{")

    (entered,) = lines(system, "guest entered", guest["user"]["id"])
    (opened,) = lines(system, "connection opened", guest["user"]["id"])
    assert (address, address) == (entered["address"], opened["address"])
