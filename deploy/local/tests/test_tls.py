"""Official clients of a gateway that speaks TLS itself, and of an auth service that does."""

import contextlib
import json
from pathlib import Path

import httpx
import pytest
import websockets
from clients import Clients
from processes import service

from roomwire.identity.tokens import SigningKey
from roomwire.serving.tls import vouched_for_by
from roomwire_local.certificates import Authority
from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids="+".join)
async def test_the_official_client_talks_to_a_gateway_that_speaks_tls(
    clients: Clients, tmp_path: Path, transports: list[str]
):
    authority, port = Authority(), free_port()
    chain, key = authority.write(tmp_path, HOST)
    async with service(
        "gateway",
        free_port(),
        PORT=port,
        REDIS_URL="memory://",
        AUTH_MODE="off",
        TLS_CERT_FILE=chain,
        TLS_KEY_FILE=key,
    ):
        client = await clients.connect(f"https://{HOST}:{port}", transports=transports, ca=authority.pem)
        if len(transports) > 1:
            await client.wait_for("upgrade", "websocket")

        assert "Message received!" == await client.emit("message", "x" * 3_000)
        heard = await client.wait_for_event("message")
        assert str(heard[0]).endswith("x" * 3_000)
        assert transports[-1] == (await client.state())["transport"]
        await client.close()
        # Who does not know the authority does not talk to it.
        stranger = await clients.open(f"https://{HOST}:{port}", transports=transports, reconnection=False)
        await stranger.wait_for("connect_error")


async def test_a_gateway_believes_keys_by_the_authority_that_it_is_told(
    clients: Clients, tmp_path: Path, redis_url: str
):
    authority, port, auth_port = Authority(), free_port(), free_port()
    chain, key = authority.write(tmp_path, HOST)
    certificate = {"TLS_CERT_FILE": chain, "TLS_KEY_FILE": key, "REDIS_URL": redis_url}
    auth = f"https://{HOST}:{auth_port}/auth"
    async with (
        service(
            "auth", free_port(), PORT=auth_port, SIGNING_KEY=SigningKey.generate().to_pem(), **certificate
        ),
        service(
            "gateway",
            free_port(),
            PORT=port,
            AUTH_JWKS_URL=f"{auth}/.well-known/jwks.json",
            AUTH_JWKS_CA_FILE=tmp_path / "ca.crt",
            **certificate,
        ),
        httpx.AsyncClient(trust_env=False, verify=vouched_for_by(tmp_path / "ca.crt")) as http,
    ):
        token = (await http.post(f"{auth}/guest", json={"name": "Ann"})).json()["access_token"]
        client = await clients.connect(
            f"https://{HOST}:{port}", ca=authority.pem, auth={"token": token}, transports=["websocket"]
        )

        assert (await client.state())["connected"]
        await client.close()


async def test_what_reaches_the_wrong_gateway_over_tls_is_relayed_as_https(tmp_path: Path, redis_url: str):
    authority, ports = Authority(), [free_port(), free_port()]
    chain, key = authority.write(tmp_path, HOST)
    trusting = vouched_for_by(tmp_path / "ca.crt")
    async with contextlib.AsyncExitStack() as stack:
        for number, port in enumerate(ports):
            gateway = service(
                "gateway",
                free_port(),
                PORT=port,
                NODE_NAME=f"gateway-{number}",
                REDIS_URL=redis_url,
                AUTH_MODE="off",
                RELAY_PORT=free_port(),
                RELAY_SECRET="a secret of more than thirty-two characters",
                TLS_CERT_FILE=chain,
                TLS_KEY_FILE=key,
            )
            await stack.enter_async_context(gateway)
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, verify=trusting))
        one, other = (f"{HOST}:{port}/socket.io/?EIO=4&transport=" for port in ports)
        # Its own page's origin: the owner judges it by the host and port that the client asked for, not by its own.
        origin = {"Origin": f"https://{HOST}:{ports[1]}"}
        sid = json.loads((await http.get(f"https://{one}polling")).text[1:])["sid"]

        assert (
            "ok" == (await http.post(f"https://{other}polling&sid={sid}", content="40", headers=origin)).text
        )
        assert (await http.get(f"https://{other}polling&sid={sid}")).text.startswith("40{")
        async with websockets.connect(
            f"wss://{other}websocket&sid={sid}", ssl=trusting, proxy=None, additional_headers=origin
        ) as upgraded:
            await upgraded.send("2probe")
            assert "3probe" == await upgraded.recv()
            await upgraded.send("5")
            await upgraded.send('420["message","hello"]')
            said = {await upgraded.recv() for _ in range(2)}
            assert '430["Message received!"]' in said
