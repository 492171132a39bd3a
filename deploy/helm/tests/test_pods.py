"""One scheme of pods: the values of `pods` apply to every pod of the chart, and each part may override them."""

import re

import pytest
import yaml
from chart import CHART, ROOT, SIZES, Refused, install

PARTS = {
    "gateway": "chat-roomwire-gateway",
    "auth": "chat-roomwire-auth",
    "redis": "chat-roomwire-redis",
    "secrets": "chat-roomwire-secrets-1",
    "auth.signingKey.rotation": "chat-roomwire-keys",
    "test": "chat-roomwire-test",
    "loadTest": "chat-roomwire-load-1",
}
"""The parts that accept the values of `pods` for their own pods, each with one of its pods."""
MAP = {"app": "own"}
OWN = {
    "nodeSelector": (MAP, lambda pod: pod["nodeSelector"]),
    "tolerations": ([{"key": "own"}], lambda pod: pod["tolerations"]),
    "affinity": ({"nodeAffinity": {}}, lambda pod: {"nodeAffinity": pod["affinity"]["nodeAffinity"]}),
    "topologySpreadConstraints": ([{"maxSkew": 9}], lambda pod: pod["topologySpreadConstraints"]),
    "priorityClassName": ("own", lambda pod: pod["priorityClassName"]),
    "serviceAccountName": ("own", lambda pod: pod["serviceAccountName"]),
    "resources": ({"limits": {"cpu": "9"}}, lambda pod: {"limits": {"cpu": pod["containers"][0]["resources"]["limits"]["cpu"]}}),
    "extraEnv": ([{"name": "OWN", "value": "1"}], lambda pod: pod["containers"][0]["env"][-1:]),
    "extraEnvFrom": ([{"secretRef": {"name": "own"}}], lambda pod: pod["containers"][0]["envFrom"]),
    "extraVolumes": ([{"name": "own", "emptyDir": {}}], lambda pod: pod["volumes"][-1:]),
    "extraVolumeMounts": ([{"name": "own", "mountPath": "/own"}], lambda pod: pod["containers"][0]["volumeMounts"][-1:]),
    "extraContainers": ([{"name": "own", "image": "own"}], lambda pod: pod["containers"][1:]),
    "extraInitContainers": ([{"name": "own", "image": "own"}], lambda pod: pod["initContainers"]),
}  # fmt: skip
EVERYTHING = {"loadTest": {"enabled": True, "url": "http://traefik.traefik"}}


def nested(path, value):
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def merged(one, other):
    return {
        name: merged(one[name], other[name])
        if isinstance(one.get(name), dict) and isinstance(other.get(name), dict)
        else other.get(name, one.get(name))
        for name in {**one, **other}
    }


def pod_of(release, part):
    return dict(release.pods())[PARTS[part]]


def test_the_parts_with_pods_are_those_that_the_values_name():
    text = (CHART / "values.yaml").read_text()
    named = re.findall(r"# @pod\n *(\w+):", text)

    assert [
        part.rpartition(".")[2] for part in ("gateway", "auth", "auth.signingKey.rotation", "redis")
    ] == named[:4]
    assert {part.rpartition(".")[2] for part in PARTS} == {*named}


def test_every_pod_of_the_chart_belongs_to_a_part():
    release = install(EVERYTHING)

    assert {*PARTS.values(), "chat-roomwire-load-workers-1"} == {name for name, _ in release.pods()}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_each_value_of_pods_for_its_own_pods_alone(part):
    values = merged(EVERYTHING, nested(part, {name: value for name, (value, _) in OWN.items()}))
    release = install(values)

    for name, (value, found) in OWN.items():
        assert value == found(pod_of(release, part)), name
    others = "".join(yaml.safe_dump(pod_of(release, other)) for other in PARTS if other != part)
    assert "own" not in re.findall(r"[\w-]+", others)


def test_what_pods_says_holds_for_all_of_them():
    release = install(SIZES["pods"])
    said = SIZES["pods"]["pods"]

    for name, pod in release.pods():
        container = pod["containers"][0]
        assert (said["tolerations"], said["nodeSelector"]) == (pod["tolerations"], pod["nodeSelector"]), name
        assert "people" == pod["serviceAccountName"], name
        assert {"name": "A", "value": "b"} in container["env"], name
        assert (said["extraEnvFrom"], said["extraContainers"]) == (
            container["envFrom"],
            pod["containers"][1:],
        ), name
        assert {"name": "more", "mountPath": "/more"} in container["volumeMounts"], name
        assert {"name": "more", "emptyDir": {}} in pod["volumes"], name
    assert all("chat" == labels["team"] for _, labels in release.pod_labels())


def test_a_job_that_runs_as_an_account_of_ones_own_has_its_right_by_it():
    release = install({"pods": {"serviceAccountName": "people"}})

    assert [] == release.all("ServiceAccount")
    assert {"people"} == {one["subjects"][0]["name"] for one in release.all("RoleBinding")}


def test_rules_of_ones_own_stand_beside_those_of_the_chart():
    said = SIZES["pods"]["pods"]

    for policy in install(SIZES["pods"]).all("NetworkPolicy"):
        spec, component = policy["spec"], policy["metadata"]["name"].removeprefix("chat-roomwire-")
        assert (component == "load") or said["extraEgress"][0] in spec["egress"], component
        assert said["extraIngress"][0] in spec["ingress"], component


@pytest.mark.parametrize(
    ("values", "user"),
    [
        ({}, 10001),
        ({"pods": {"podSecurityContext": None}}, None),
        ({"pods": {"podSecurityContext": {"runAsUser": None}}}, None),
        ({"gateway": {"podSecurityContext": {"runAsUser": None}}}, None),
        ({"gateway": {"podSecurityContext": None}}, None),
        ({"gateway": {"podSecurityContext": {"runAsUser": 1000660000}}}, 1000660000),
    ],
    ids=["default", "none", "no user", "a part without user", "a part without any", "a part with another"],
)
def test_what_is_null_of_a_security_context_is_left_to_the_cluster(values, user):
    assert user == pod_of(install(values), "gateway").get("securityContext", {}).get("runAsUser")


def test_a_container_s_security_context_can_be_left_to_the_cluster():
    release = install({"pods": {"securityContext": None}})

    assert all("securityContext" not in pod["containers"][0] for _, pod in release.pods())


@pytest.mark.parametrize(("group", "mode"), [(10001, 0o440), (None, 0o444)])
def test_every_user_in_a_pod_can_read_its_secrets(group, mode):
    release = install({**SIZES["tls"], "pods": {"podSecurityContext": {"fsGroup": group}}})
    modes = {
        volume["secret"]["defaultMode"]
        for _, pod in release.pods()
        for volume in pod.get("volumes", ())
        if "secret" in volume
    }

    assert {mode} == modes


def test_a_pod_is_replaced_when_it_changes_and_not_with_the_chart():
    ours = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}

    # The test's pod has no template: it is an object of its own, created anew for each test.
    assert {frozenset(ours)} == {
        frozenset(labels)
        for name, labels in install(SIZES["everything"]).pod_labels()
        if name != "chat-roomwire-test"
    }


def test_what_waits_for_redis_gets_a_node_only_once_redis_has_one():
    def terms(release, name):
        pod = dict(release.pods())[name]
        return (
            pod.get("affinity", {})
            .get("podAffinity", {})
            .get("requiredDuringSchedulingIgnoredDuringExecution")
        )

    release = install()
    (redis,) = release.all("StatefulSet")
    labels = redis["spec"]["template"]["metadata"]["labels"]
    expected = [{"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/os"}]

    assert [expected, expected] == [terms(release, f"chat-roomwire-{name}") for name in ("gateway", "auth")]
    assert [None, None] == [
        terms(release, name) for name in ("chat-roomwire-redis", "chat-roomwire-secrets-1")
    ]
    assert terms(install({"redis": {"scheduledFirst": False}}), "chat-roomwire-gateway") is None
    assert terms(install(SIZES["elsewhere"]), "chat-roomwire-gateway") is None


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_an_upgrade_of_a_full_cluster_may_take_a_pod_away_first(component):
    release = install({component: {"rollout": {"maxSurge": 0, "maxUnavailable": 1}}})

    assert {"maxSurge": 0, "maxUnavailable": 1} == release.one("Deployment", f"chat-roomwire-{component}")[
        "spec"
    ]["strategy"]["rollingUpdate"]


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_a_policy_is_mounted_where_its_service_looks_for_it_and_a_change_replaces_pods(component):
    texts = ('[roles.guest]\n"*" = ["join"]\n', '[roles.guest]\n"*" = []\n')
    releases = [install({"policy": {"file": text}}) for text in texts]
    made = [
        release.one("Deployment", f"chat-roomwire-{component}")["spec"]["template"] for release in releases
    ]
    pod = made[0]["spec"]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "policy"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "policy"]
    (item,) = volume["configMap"]["items"]

    assert (
        f"{mount['mountPath']}/{item['path']}"
        == releases[0].environment(f"chat-roomwire-{component}")["ROOMWIRE_POLICY_FILE"]
    )
    assert (
        texts[0].strip()
        == releases[0].one("ConfigMap", volume["configMap"]["name"])["data"][item["key"]].strip()
    )
    assert made[0]["metadata"]["annotations"] != made[1]["metadata"]["annotations"]


def test_a_policy_can_be_in_a_map_of_ones_own():
    release = install({"policy": {"existingConfigMap": "rules"}})
    (volume,) = [volume for volume in pod_of(release, "auth")["volumes"] if volume["name"] == "policy"]

    assert "rules" == volume["configMap"]["name"]
    with pytest.raises(Refused, match="both name a policy"):
        install({"policy": {"existingConfigMap": "rules", "file": "x"}})


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_a_redis_that_speaks_tls_is_believed_by_an_authority_of_ones_own(component):
    release = install(
        {"redis": {"enabled": False, "existingSecret": "urls", "external": {"caSecret": "authority"}}}
    )
    pod = pod_of(release, component)
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "redis-ca"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "redis-ca"]

    assert ("authority", [{"key": "ca.crt", "path": "ca.crt"}]) == (
        volume["secret"]["secretName"],
        volume["secret"]["items"],
    )
    assert (
        f"{mount['mountPath']}/ca.crt"
        == release.environment(f"chat-roomwire-{component}")["ROOMWIRE_REDIS_CA_FILE"]
    )


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_the_address_that_a_service_binds_to_can_be_chosen(component):
    release = install({component: {"settings": {"HOST": "::"}}})

    assert "::" == release.environment(f"chat-roomwire-{component}")["ROOMWIRE_HOST"]


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_a_setting_may_be_a_number_or_a_boolean(component):
    settings = {"A": 30000000, "B": 0.25, "C": False, "D": True, "E": 0, "F": "007", "G": ""}
    options = ("--set", f"{component}.settings.H=4000000", "--set", f"{component}.settings.I=false")
    release = install({component: {"settings": settings}}, *options)

    environment = release.environment(f"chat-roomwire-{component}")
    assert ["30000000", "0.25", "false", "true", "0", "007", "", "4000000", "false"] == [
        environment[f"ROOMWIRE_{name}"] for name in "ABCDEFGHI"
    ]


def test_services_have_both_families_where_the_cluster_has_both():
    for size in SIZES:
        assert {"PreferDualStack"} == {
            one["spec"]["ipFamilyPolicy"]
            for one in install(SIZES[size]).all("Service")
            if "None" != one["spec"].get("clusterIP")
        }
    chosen = install({"service": {"ipFamilyPolicy": "", "ipFamilies": ["IPv6"]}}).all("Service")
    assert all(
        "ipFamilyPolicy" not in one["spec"] and ["IPv6"] == one["spec"]["ipFamilies"] for one in chosen
    )


@pytest.mark.parametrize(("families", "first"), [([], None), (["IPv6", "IPv4"], ["IPv6"])])
def test_a_pod_has_one_address_where_it_is_scraped_so_that_nothing_is_counted_twice(families, first):
    values = {**SIZES["everything"], "service": {"ipFamilies": families}}
    scraped = [one["spec"] for one in install(values).all("Service") if one["spec"].get("clusterIP")]

    assert [("SingleStack", first)] * 2 == [
        (spec["ipFamilyPolicy"], spec.get("ipFamilies")) for spec in scraped
    ]


def test_random_users_of_a_cluster_find_nothing_of_a_fixed_user_in_the_images():
    for path in ("services/gateway", "services/auth", "loadtest"):
        text = (ROOT / path / "Dockerfile").read_text()
        assert not re.search(r"chown|useradd|--chmod|HOME=", text), path
