"""The dashboards and alerts of the chart on a real Prometheus that scrapes a running system: every panel shows something."""

import asyncio
import contextlib
import json
import os
import shutil

import httpx
import pytest
import yaml
from chart import CHART, SIZES, install
from live import Client, Polling
from needs import need
from recording import filled
from redis_homes import eventually

from roomwire_local.free_ports import free_port, free_ports
from roomwire_local.system import HOST, local_system

PROMETHEUS = shutil.which("prometheus")
SCRAPE = "1s"
RATE_INTERVAL = "15s"
PATIENCE_S = 60


class Prometheus:
    """A Prometheus of the test's own."""

    def __init__(self, port):
        self._url = f"http://{HOST}:{port}/api/v1"

    async def ask(self, path, **parameters):
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            answer = (await http.get(f"{self._url}/{path}", params=parameters)).json()
        assert "success" == answer["status"], answer
        return answer["data"]

    async def query(self, expression):
        return (await self.ask("query", query=expression))["result"]

    async def is_up(self):
        with contextlib.suppress(httpx.HTTPError, ValueError):
            return bool(await self.ask("status/runtimeinfo"))
        return False


@pytest.fixture(scope="module")
def api():
    """The address of the HTTP API of the first gateway, and a backend's key."""
    return f"http://{HOST}:{free_ports(2)[0]}", "k" * 40


@pytest.fixture(scope="module")
def system(tmp_path_factory, starts_servers, api):
    """A system with everything on that has panels."""
    address, key = api
    settings = {
        "API_PORT": address.rpartition(":")[2],
        "API_KEYS": f"shop service {key}",
        "NODEJS_EMITTERS": "both",
    }
    named = {f"ROOMWIRE_{name}": value for name, value in settings.items()}
    with local_system(tmp_path_factory.mktemp("system"), free_port(), **named) as running:
        yield running


@pytest.fixture
async def prometheus(system, tmp_path):
    """Run a Prometheus with the chart's rules, which scrapes the system as the chart's would."""
    need(PROMETHEUS, "Prometheus (Debian: apt-get install prometheus)")
    rules = install(SIZES["everything"]).one("PrometheusRule", "chat-roomwire")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    targets = [
        {
            "targets": [url.removeprefix("http://")],
            "labels": {"namespace": "den", "pod": f"chat-roomwire-{name.partition('-')[0]}-{name}"},
        }
        for name, url in system.operations.items()
        if name.startswith(("gateway", "auth"))
    ]
    config = {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": [str(tmp_path / "rules.yaml")],
        "scrape_configs": [{"job_name": "roomwire", "static_configs": targets}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={HOST}:{port}",
            stdout=log,
            stderr=log,
        )
    try:
        running = Prometheus(port)
        await eventually(running.is_up, within_s=PATIENCE_S)
        yield running
    finally:
        process.terminate()
        await process.wait()


async def live(system, api):
    """Come, sign in, speak over both gateways and both transports, call the API, and go: a round of what people do."""
    addresses = [f"{HOST}:{port}" for name, port in system.ports.items() if name.startswith("gateway")]
    async with httpx.AsyncClient(trust_env=False, base_url=system.url) as http:
        account = {"username": f"ada{os.urandom(6).hex()}", "password": "correct horse battery"}
        registered = (await http.post("/auth/register", json=account)).json()
        await http.post("/auth/refresh", json={"refresh_token": registered["refresh_token"]})
        token = (await http.post("/auth/guest")).json()["access_token"]
    async with Client.connected(addresses[0], {"token": token}) as one, Polling.open(addresses[1]) as two:
        await two.post("40" + json.dumps({"token": token}))
        await two.poll()
        room = {"roomId": "den", "userName": "Ada"}
        await one.emit("joinRoom", room)
        for number in range(10):
            await one.emit("chatMessage", {**room, "message": str(number)})
        # A request for a session of the other gateway is taken there.
        async with httpx.AsyncClient(trust_env=False) as http:
            where = f"http://{addresses[0]}/socket.io/?EIO=4&transport=polling&sid={two.sid}"
            await http.post(where, content='42["joinRoom",{"roomId":"den","userName":"Bob"}]')
            await http.get(f"{api[0]}/api/v1/rooms", headers={"authorization": f"Bearer {api[1]}"})


def panels():
    for path in sorted((CHART / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield path.stem, panel["title"], filled(target["expr"], rate_interval=RATE_INTERVAL)


async def test_every_panel_shows_something_while_people_are_there_and_no_alert_is_critical(
    system, api, prometheus
):
    silent = list(panels())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while silent:
                await live(system, api)
                answers = await asyncio.gather(*(prometheus.query(query) for _, _, query in silent))
                silent = [one for one, answer in zip(silent, answers, strict=True) if not _shows(answer)]
    assert not silent, "\n".join(query for _, _, query in silent)
    firing = await prometheus.query('ALERTS{alertstate="firing",severity="critical"}')
    groups = (await prometheus.ask("rules"))["groups"]

    assert [] == firing
    assert {"roomwire", "roomwire-auth"} == {group["name"] for group in groups}
    assert all(rule["health"] in {"ok", "unknown"} for group in groups for rule in group["rules"])


def _shows(answer):
    return any(one["value"][1] != "NaN" for one in answer)


async def test_a_process_says_what_it_takes_of_its_machine(system, prometheus):
    async def there():
        found = {
            (one["metric"]["__name__"], one["metric"]["pod"])
            for one in await prometheus.query(
                '{__name__=~"process_cpu_seconds_total|process_resident_memory_bytes|process_open_fds"}'
            )
        }
        return found if len(found) == 9 else None

    assert await eventually(there, within_s=PATIENCE_S)
