"""Services that serve TLS themselves: which pod gets which certificate, and which pods trust it."""

import pytest
from chart import SIZES, install

TRAEFIK = "traefik.ingress.kubernetes.io/service"
SERVICES = ("gateway", "auth")


@pytest.fixture(scope="module")
def release():
    return install(SIZES["tls"])


def mounted(pod):
    """Return the Secret and the key of each file of a pod, by the file's path."""
    (container,) = pod["containers"]
    paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    return {
        f"{paths[volume['name']]}/{item['path']}": (volume["secret"]["secretName"], item["key"])
        for volume in pod["volumes"]
        if "secret" in volume
        for item in volume["secret"]["items"]
    }


def pod_of(release, component):
    return release.one("Deployment", f"chat-roomwire-{component}")["spec"]["template"]["spec"]


@pytest.mark.parametrize("component", SERVICES)
def test_a_service_gets_its_own_certificate_and_key_and_no_other_key(release, component):
    files, told = mounted(pod_of(release, component)), release.environment(f"chat-roomwire-{component}")

    assert (f"{component}-certificate", "tls.crt") == files[told["ROOMWIRE_TLS_CERT_FILE"]]
    assert (f"{component}-certificate", "tls.key") == files[told["ROOMWIRE_TLS_KEY_FILE"]]
    assert 1 == [key for _, key in files.values()].count("tls.key")


def test_gateways_believe_the_keys_of_auth_by_its_authority_and_over_https(release):
    files, told = mounted(pod_of(release, "gateway")), release.environment("chat-roomwire-gateway")

    assert ("auth-certificate", "ca.crt") == files[told["ROOMWIRE_AUTH_JWKS_CA_FILE"]]
    assert "https://chat-roomwire-auth/auth/.well-known/jwks.json" == told["ROOMWIRE_AUTH_JWKS_URL"]


@pytest.mark.parametrize("component", SERVICES)
def test_services_and_ingress_say_what_is_spoken(release, component):
    (port,) = release.one("Service", f"chat-roomwire-{component}")["spec"]["ports"]
    annotations = release.one("Service", f"chat-roomwire-{component}")["metadata"]["annotations"]
    (ingress,) = release.all("Ingress")
    (rule,) = ingress["spec"]["rules"]

    assert {"name": "https", "port": 443, "targetPort": "http", "appProtocol": "https"} == port
    assert ["https", "https"] == [
        path["backend"]["service"]["port"]["name"] for path in rule["http"]["paths"]
    ]
    assert ("https", "den-pods@kubernetescrd") == (
        annotations[f"{TRAEFIK}.serversscheme"],
        annotations[f"{TRAEFIK}.serverstransport"],
    )


def test_affinity_stays_where_gateways_speak_tls(release):
    annotations = release.one("Service", "chat-roomwire-gateway")["metadata"]["annotations"]

    assert "true" == annotations[f"{TRAEFIK}.sticky.cookie"]


def test_the_operations_port_and_the_relay_stay_as_they_are(release):
    (container,) = pod_of(release, "gateway")["containers"]

    assert all("scheme" not in container[f"{probe}Probe"]["httpGet"] for probe in ("liveness", "readiness"))
    assert ["http", "ops", "relay"] == [port["name"] for port in container["ports"]]


def test_the_chart_s_own_test_believes_both_authorities(release):
    pod = release.one("Pod", "chat-roomwire-test")["spec"]
    (container,) = pod["containers"]
    told = {entry["name"]: entry["value"] for entry in container["env"]}
    files = mounted(pod)

    assert ("https://chat-roomwire-gateway", "https://chat-roomwire-auth") == (
        told["GATEWAY_URL"],
        told["AUTH_URL"],
    )
    assert {("gateway-certificate", "ca.crt"), ("auth-certificate", "ca.crt")} == {
        files[path] for path in told["AUTHORITIES"].split(":")
    }


@pytest.mark.parametrize("component", SERVICES)
def test_one_service_alone_may_speak_it(component):
    release = install({component: {"tls": {"secretName": "certificate"}}})
    schemes = {
        name: release.one("Service", f"chat-roomwire-{name}")["spec"]["ports"][0]["name"] for name in SERVICES
    }

    assert {name: "https" if name == component else "http" for name in SERVICES} == schemes
    assert (component == "auth") is (
        "ROOMWIRE_AUTH_JWKS_CA_FILE" in release.environment("chat-roomwire-gateway")
    )


def test_an_ingress_of_ones_own_gets_no_annotations_of_traefik():
    release = install({**SIZES["tls"], "ingress": {"preset": "custom"}})

    for component in SERVICES:
        assert "annotations" not in release.one("Service", f"chat-roomwire-{component}")["metadata"]
