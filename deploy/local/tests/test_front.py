"""The front of `skaffold dev` serves page, `/auth` and Socket.IO on one port, by the routes of its own manifest."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml
from clients import Clients
from processes import program

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST, LocalSystem

MANIFEST = Path(__file__).resolve().parents[3] / "deploy/dev/front.yaml"


@pytest.fixture
async def url(system: LocalSystem, tmp_path: Path) -> AsyncIterator[str]:
    """Traefik as the manifest starts it; names of services become the addresses that they would stand for."""
    parts = {part["kind"]: part for part in yaml.safe_load_all(MANIFEST.read_text())}
    (container,) = parts["Deployment"]["spec"]["template"]["spec"]["containers"]
    routes = yaml.safe_load(parts["ConfigMap"]["data"]["routes.yml"])
    gateways = [f"http://{HOST}:{port}" for name, port in system.ports.items() if name != "auth"]
    addresses = {
        "http://roomwire-auth": [f"http://{HOST}:{system.ports['auth']}"],
        # A service deals connections out to all of its pods.
        "http://roomwire-gateway": gateways,
    }
    for service in routes["http"]["services"].values():
        (named,) = service["loadBalancer"]["servers"]
        service["loadBalancer"]["servers"] = [{"url": address} for address in addresses[named["url"]]]
    (tmp_path / "routes.yml").write_text(yaml.safe_dump(routes))
    port, ping_port = free_port(), free_port()
    places = {
        ":8000": f"{HOST}:{port}",
        ":8001": f"{HOST}:{ping_port}",
        "/etc/front/routes.yml": str(tmp_path / "routes.yml"),
    }
    arguments = []
    for argument in container["args"]:
        option, equals, value = argument.partition("=")
        arguments.append(f"{option}{equals}{places.get(value, value)}")
    traefik = str(Path(sys.executable).parent / "traefik")
    async with program(traefik, *arguments, url=f"http://{HOST}:{port}/"):
        yield f"http://localhost:{port}"


@pytest.mark.parametrize(
    ("options", "transport"),
    [({}, "websocket"), ({"transports": ["polling"]}, "polling")],
    ids=["upgrade", "polling"],
)
async def test_who_signs_in_there_chats_there(
    clients: Clients, url: str, options: dict[str, object], transport: str
):
    async with httpx.AsyncClient(trust_env=False) as http:
        assert "text/html" in (await http.get(url)).headers["Content-Type"]
        granted = (await http.post(f"{url}/auth/guest", json={})).raise_for_status().json()

    client = await clients.connect(url, auth={"token": granted["access_token"]}, **options)
    if transport == "websocket":
        await client.wait_for("upgrade", "websocket")

    assert "Joined room den" == await client.emit("joinRoom", {"roomId": "den", "userName": "Ann"})
    assert transport == (await client.state())["transport"]
    await client.close()
