"""Which connections the network policies allow, and where other pods may connect."""

import pytest
from chart import SIZES, install

TRAEFIK = "traefik.ingress.kubernetes.io/service.sticky.cookie"
OF = "app.kubernetes.io/component"


def edges(release):
    """Yield (from, to, port) for connections that pods of the release may open to each other."""
    for policy in release.all("NetworkPolicy"):
        to = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for rule in policy["spec"].get("ingress", ()):
            for peer in rule.get("from", ()):
                if OF in (labels := peer.get("podSelector", {}).get("matchLabels", {})):
                    yield labels[OF], to, rule["ports"][0]["port"]


def test_only_the_services_reach_redis():
    redis = {edge for edge in edges(install()) if edge[1] == "redis"}

    assert {("gateway", "redis", "redis"), ("auth", "redis", "redis")} == redis


def test_what_is_relayed_comes_from_gateways_only():
    closed = {edge for edge in edges(install(SIZES["everything"])) if edge[2] == "relay"}

    assert {("gateway", "gateway", "relay")} == closed
    assert not [
        edge for edge in edges(install({"gateway": {"relay": {"enabled": False}}})) if edge[2] == "relay"
    ]


SHOP = {"podSelector": {"matchLabels": {"app": "shop"}}}


def rules(release, port):
    """Return the rules that open a port of the gateways."""
    policy = release.one("NetworkPolicy", "chat-roomwire-gateway")["spec"]
    return [rule for rule in policy["ingress"] if rule["ports"][0]["port"] == port]


def paths(release):
    (rule,) = release.one("Ingress", "chat-roomwire")["spec"]["rules"]
    return {path["path"]: path["backend"]["service"]["port"]["name"] for path in rule["http"]["paths"]}


def service_ports(release):
    return [port["name"] for port in release.one("Service", "chat-roomwire-gateway")["spec"]["ports"]]


def test_the_api_is_called_by_whom_values_name_and_shown_by_no_ingress_unless_asked():
    off = install({"gateway": {"api": {"from": [SHOP], "ingress": True}}})
    closed = install({"gateway": {"api": {"enabled": True}}})
    named = install({"gateway": {"api": {"enabled": True, "from": [SHOP]}}})
    shown = install({"gateway": {"api": {"enabled": True, "ingress": True}}})
    narrow = install(
        {
            "gateway": {"api": {"enabled": True, "ingress": True, "from": [SHOP]}},
            "networkPolicy": {"clients": [{"namespaceSelector": {}}]},
        }
    )
    opened = [{"port": "api", "protocol": "TCP"}]

    assert [[], [], [{"ports": opened, "from": [SHOP]}], [{"ports": opened}]] == [
        rules(release, "api") for release in (off, closed, named, shown)
    ]
    assert [{"ports": opened, "from": [{"namespaceSelector": {}}, SHOP]}] == rules(narrow, "api")
    public = {"/auth": "http", "/": "http"}
    assert [public, public, public, {**public, "/api/v1": "api"}] == [
        paths(release) for release in (off, closed, named, shown)
    ]
    assert [["http"], ["http", "api"]] == [service_ports(release) for release in (off, named)]


def test_every_pod_is_closed_but_for_what_a_policy_names():
    release = install(SIZES["everything"])
    closed = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for policy in release.all("NetworkPolicy")
    }
    both = [policy["spec"]["policyTypes"] for policy in release.all("NetworkPolicy")]

    assert {"gateway", "auth", "redis", "secrets", "keys", "load-master", "load", "test"} == closed
    assert all(["Ingress", "Egress"] == types for types in both)


@pytest.mark.parametrize("job", ["secrets", "keys"])
def test_the_jobs_that_make_secrets_and_rotate_keys_reach_the_clusters_api_alone(job):
    release = install({"networkPolicy": {"apiPorts": [16443]}})
    policy = release.one("NetworkPolicy", f"chat-roomwire-{job}")["spec"]

    assert "ingress" not in policy
    assert [{"ports": [{"port": 16443, "protocol": "TCP"}]}] == policy["egress"]


EXTRA = {"from": [SHOP], "ports": [{"port": 9999, "protocol": "TCP"}]}
PARTS = {
    "gateway": ["gateway"],
    "auth": ["auth"],
    "redis": ["redis"],
    "secrets": ["secrets"],
    "auth.signingKey.rotation": ["keys"],
    "test": ["test"],
    "loadTest": ["load-master", "load"],
}
"""The policies of each part that has its own pods."""


@pytest.mark.parametrize("rules", ["extraIngress", "extraEgress"])
@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_the_further_rules_that_values_give_it(part, rules):
    values = {"loadTest": {"enabled": True, "url": "http://traefik.traefik"}}
    level = values
    for name in part.split("."):
        level = level.setdefault(name, {})
    level[rules] = [EXTRA]
    made = {
        policy["spec"]["podSelector"]["matchLabels"][OF]: policy["spec"].get(
            rules.removeprefix("extra").lower(), []
        )
        for policy in install(values).all("NetworkPolicy")
    }
    # Workers may open any connection anyway.
    closed = {name for name, found in made.items() if {} not in found}

    assert closed & {*PARTS[part]} == {name for name, found in made.items() if EXTRA in found}


def test_redis_opens_no_connection():
    assert "egress" not in install().one("NetworkPolicy", "chat-roomwire-redis")["spec"]


@pytest.mark.parametrize("name", ["gateway", "auth"])
def test_operations_ports_are_for_monitoring_and_not_for_the_ingress(name):
    release = install(SIZES["everything"])
    rules = release.one("NetworkPolicy", f"chat-roomwire-{name}")["spec"]["ingress"]
    (ops,) = [rule for rule in rules if rule["ports"][0]["port"] == "ops"]
    (service,) = [one for one in release.all("Service") if one["metadata"]["name"] == f"chat-roomwire-{name}"]
    (ingress,) = release.all("Ingress")
    backends = [
        path["backend"]["service"]["name"]
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]

    assert [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}] == ops[
        "from"
    ]
    assert "ops" not in [port["name"] for port in service["spec"]["ports"]]
    assert not [backend for backend in backends if backend.endswith("-ops")]


def test_auth_has_its_prefix_and_gateways_have_the_rest():
    (ingress,) = install().all("Ingress")
    (rule,) = ingress["spec"]["rules"]

    assert {"/auth": "chat-roomwire-auth", "/": "chat-roomwire-gateway"} == {
        path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]
    }


@pytest.mark.parametrize("size", ["defaults", "everything"])
def test_a_route_of_the_gateway_api_leads_where_the_ingress_does(size):
    values = {**SIZES[size], "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}
    release = install(values)
    (route,) = release.all("HTTPRoute")
    ports = {
        one["metadata"]["name"]: {port["port"]: port["name"] for port in one["spec"]["ports"]}
        for one in release.all("Service")
    }
    found = {
        match["path"]["value"]: (backend["name"], ports[backend["name"]][backend["port"]])
        for one in route["spec"]["rules"]
        for match in one["matches"]
        for backend in one["backendRefs"]
    }
    (rule,) = release.all("Ingress")[0]["spec"]["rules"]

    assert found == {
        path["path"]: (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"])
        for path in rule["http"]["paths"]
    }
    assert ([rule["host"]] if "host" in rule else None) == route["spec"].get("hostnames")
    assert "0s" == route["spec"]["rules"][-1]["timeouts"]["request"]
    assert "sessionPersistence" not in route["spec"]["rules"][-1]


def test_a_route_can_have_hosts_of_its_own_and_no_ingress_beside_it():
    route = {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["a.example"]}
    release = install({"httpRoute": {**route, "sessionPersistence": True}, "ingress": {"enabled": False}})
    (made,) = release.all("HTTPRoute")

    assert [] == release.all("Ingress")
    assert ["a.example"] == made["spec"]["hostnames"]
    assert {"sessionName": "roomwire", "type": "Cookie"} == made["spec"]["rules"][-1]["sessionPersistence"]


@pytest.mark.parametrize(
    ("transports", "sticky"), [(["polling", "websocket"], True), (["polling"], True), (["websocket"], False)]
)
def test_one_value_drives_the_transports_of_the_server_and_the_affinity(transports, sticky):
    release = install({"gateway": {"transports": transports}})
    annotations = release.one("Service", "chat-roomwire-gateway")["metadata"].get("annotations", {})

    assert ",".join(transports) == release.environment("chat-roomwire-gateway")["ROOMWIRE_TRANSPORTS"]
    assert sticky is (annotations.get(TRAEFIK) == "true")


def test_a_custom_ingress_gets_its_own_annotations_only():
    release = install(
        {
            "ingress": {"preset": "custom", "annotations": {"a": "b"}},
            "gateway": {"service": {"annotations": {"c": "d"}}},
        }
    )

    assert {"c": "d"} == release.one("Service", "chat-roomwire-gateway")["metadata"]["annotations"]
    assert {"a": "b"} == release.one("Ingress", "chat-roomwire")["metadata"]["annotations"]


def test_with_tls_the_affinity_cookie_is_secure_and_works_from_other_pages():
    values = {"ingress": {"host": "chat.example.org", "tls": {"secretName": "certificate"}}}
    annotations = install(values).one("Service", "chat-roomwire-gateway")["metadata"]["annotations"]

    assert ("true", "none") == (annotations[f"{TRAEFIK}.secure"], annotations[f"{TRAEFIK}.samesite"])


@pytest.mark.parametrize(("host", "hosts"), [("", None), ("chat.example.org", ["chat.example.org"])])
def test_the_certificate_of_the_ingress_is_for_its_host_or_for_the_names_in_it(host, hosts):
    release = install({"ingress": {"host": host, "tls": {"secretName": "certificate"}}})
    (tls,) = release.all("Ingress")[0]["spec"]["tls"]

    assert ("certificate", hosts) == (tls["secretName"], tls.get("hosts"))
