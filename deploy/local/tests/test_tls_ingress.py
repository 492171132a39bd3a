"""TLS ends at the ingress, and the services run with the chart's default environment: nothing else is set.

Traefik stands before two gateways and auth, whose environment is read from the chart's rendered manifests. The browser
and python-socketio's client come by https and wss.
"""

import os
import queue
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
import socketio
import yaml
from pages import chromium, gateway_of, talk, two_people
from playwright.sync_api import Browser, BrowserContext, expect
from tls_proxies import NAMES, answering

from roomwire_gateway.page import WEB
from roomwire_local.certificates import Authority
from roomwire_local.free_ports import free_port
from roomwire_local.ingress import Backend, Entry, write_traefik_config
from roomwire_local.system import HOST, LocalSystem, local_system

NAME = "chat.example"
MANIFESTS = Path(__file__).resolve().parents[3] / "deploy/k8s/roomwire.yaml"
# Of the place where a service runs, and not of how it is set; and nobody waits for a drain here.
PLACE = {"HOST", "PORT", "OPS_PORT", "RELAY_PORT", "AUTH_JWKS_URL", "DRAIN_S"}
WAYS = {"polling first": None, "WebSocket only": ["websocket"], "polling only": ["polling"]}
WAIT_S = 15


def chart_environment() -> Mapping[str, str]:
    """Return what the chart tells the services by default, but for what is of the place."""
    deployments = [
        manifest
        for manifest in yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8"))
        if manifest["kind"] == "Deployment"
    ]
    told = {
        variable["name"].removeprefix("ROOMWIRE_"): variable["value"]
        for deployment in deployments
        for variable in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        if "value" in variable
    }
    assert {"AUTH_MODE", "CORS_ORIGINS", "TRUSTED_PROXIES", "TRANSPORTS"} < {*told}
    return {
        f"ROOMWIRE_{name}": value
        for name, value in told.items()
        if name not in PLACE and not name.endswith("_FILE")
    }


class Ingress:
    """A Traefik that ends TLS.

    Attributes:
        port: Its port.
        authority: The file with the authority that vouches for it.

    """

    def __init__(self, port: int, authority: Path) -> None:
        self.port = port
        self.authority = authority


@pytest.fixture(scope="module")
def chart_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    with local_system(tmp_path_factory.mktemp("chart"), free_port(), **chart_environment()) as running:
        yield running


@pytest.fixture(scope="module")
def ingress(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Ingress]:
    # The phase `tls-ingress` of `make e2e` has these clients come in by the ingress of a cluster.
    if port := os.environ.get("TLS_INGRESS_PORT"):
        yield Ingress(int(port), Path(os.environ["TLS_INGRESS_AUTHORITY"]))
        return
    chart_system: LocalSystem = request.getfixturevalue("chart_system")
    folder = tmp_path_factory.mktemp("ingress")
    entry = Entry(free_port(), free_port(), HOST, certificate=Authority().write(folder, *NAMES))
    gateways = [
        Backend(name, port, int(chart_system.operations[name].rpartition(":")[2]))
        for name, port in chart_system.ports.items()
        if name.startswith("gateway")
    ]
    auth_url = f"http://{HOST}:{chart_system.ports['auth']}"
    config = write_traefik_config(folder, entry, auth_url=auth_url, gateways=gateways)
    traefik = [str(Path(sys.executable).parent / "traefik"), f"--configFile={config}"]
    with answering(traefik, f"https://{HOST}:{entry.port}/"):
        yield Ingress(entry.port, folder / "ca.crt")


@pytest.fixture(scope="module")
def browser(chromium_path: str | None, ingress: Ingress) -> Iterator[Browser]:
    # Without a port in the URL, as in the field; only the connection goes elsewhere.
    with chromium(chromium_path, f"--host-resolver-rules=MAP {NAME}:443 {HOST}:{ingress.port}") as running:
        yield running


def only(transports: list[str]) -> str:
    """Return the page's script whose client uses these transports and no others."""
    script = (WEB / "chat.js").read_text(encoding="utf-8")
    assert 1 == script.count("= io({")
    return script.replace("= io({", f"= io({{ transports: {transports},")


def prepared(context: BrowserContext, transports: list[str] | None) -> list[str]:
    """Have the pages of a context use these transports; returns the transports of their requests as they are made."""
    used: list[str] = []

    def note(url: str) -> None:
        if "/socket.io/" in url:
            used.append(url.partition("transport=")[2].partition("&")[0])

    context.on("request", lambda request: note(request.url))
    context.on("page", lambda page: page.on("websocket", lambda socket: note(socket.url)))
    if transports:
        context.route(
            "**/web/chat.js",
            lambda route: route.fulfill(body=only(transports), content_type="text/javascript"),
        )
    return used


@pytest.mark.browser
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("port", ["", "a port of its own"])
def test_the_page_chats_across_gateways_over_https_with_nothing_set(
    browser: Browser, ingress: Ingress, way: str, port: str
):
    transports = WAYS[way]
    url = f"https://localhost:{ingress.port}/" if port else f"https://{NAME}/"
    used: list[list[str]] = []
    ann, bob = two_people(
        browser,
        url,
        "harbour",
        prepare=lambda context: used.append(prepared(context, transports)),
        ignore_https_errors=True,
    )
    assert gateway_of(ann) != gateway_of(bob)
    for page in (ann, bob):
        expect(page.get_by_test_id("transport")).to_have_text(
            "polling" if way == "polling only" else "websocket"
        )
    talk([ann, bob], "by https", "and back", "and again")
    assert {*(transports or ["polling", "websocket"])} == {transport for each in used for transport in each}
    for page in (ann, bob):
        page.context.close()


class Talker:
    """A python-socketio client that is signed in as a guest."""

    def __init__(self, ingress: Ingress, name: str, transports: list[str] | None) -> None:
        http = requests.Session()
        http.trust_env = False
        http.verify = str(ingress.authority)
        url = f"https://localhost:{ingress.port}"
        token = http.post(f"{url}/auth/guest", json={"name": name}, timeout=WAIT_S).json()["access_token"]
        self.heard: queue.Queue[str] = queue.Queue()
        self.client = socketio.Client(http_session=http, reconnection=False, handle_sigint=False)
        self.client.on("roomMessage", lambda text, *_: self.heard.put(text))
        self.client.connect(url, transports=transports, auth={"token": token}, wait_timeout=WAIT_S)

    @property
    def gateway(self) -> str:
        name: str = self.client.eio.sid.partition(".")[0]
        return name

    def ask(self, event: str, **fields: str) -> str:
        answer: str = self.client.call(event, fields, timeout=WAIT_S)
        return answer

    def hears(self, text: str) -> bool:
        """Wait until it has heard a text."""
        while text not in self.heard.get(timeout=WAIT_S):
            pass
        return True


def two_talkers(ingress: Ingress, transports: list[str] | None) -> list[Talker]:
    """Return two clients on two gateways."""
    ann = Talker(ingress, "Ann", transports)
    for _ in range(10):
        bob = Talker(ingress, "Bob", transports)
        if bob.gateway != ann.gateway:
            return [ann, bob]
        bob.client.disconnect()
    raise AssertionError("ten clients in a row were given the same gateway")


@pytest.mark.parametrize("way", WAYS)
def test_python_socketios_client_chats_across_gateways_over_https_with_nothing_set(
    ingress: Ingress, way: str
):
    talkers = two_talkers(ingress, WAYS[way])
    for talker in talkers:
        assert "Joined room python" == talker.ask("joinRoom", roomId="python", userName="x")
        assert ("polling" if way == "polling only" else "websocket") == talker.client.transport()
    for number, talker in enumerate(talkers):
        text = f"by {way}, {number}"
        assert "Message sent to room" == talker.ask(
            "chatMessage", roomId="python", userName="x", message=text
        )
        assert all(other.hears(text) for other in talkers)
    for talker in talkers:
        talker.client.disconnect()


@pytest.mark.parametrize("way", ["polling", "websocket"])
@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("https://localhost:{port}", True),
        ("wss://localhost:{port}", True),
        ("https://localhost", False),
        ("https://localhost:5173", False),
        ("https://evil.example", False),
        ("null", False),
    ],
)
def test_only_the_own_page_gets_through_the_ingress(ingress: Ingress, way: str, origin: str, *, may: bool):
    page = origin.format(port=ingress.port)
    url = f"https://localhost:{ingress.port}/socket.io/?EIO=4&transport={way}"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    headers = {"Origin": page, **(upgrade if way == "websocket" else {})}
    with requests.Session() as http:
        http.trust_env = False
        with http.get(
            url, headers=headers, verify=str(ingress.authority), timeout=WAIT_S, stream=True
        ) as answer:
            assert ((101 if way == "websocket" else 200) if may else 400) == answer.status_code
