"""Pods: their rights, their life cycle, their settings."""

import re

import pytest
from chart import REGISTRY, SIZES, install, template

from roomwire.app.running import LIFESPAN_END_S
from roomwire.serving.listener import CLOSE_TIMEOUT_S
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings


@pytest.fixture(scope="module", params=SIZES)
def release(request):
    return install(SIZES[request.param])


def test_the_chart_renders_the_same_every_time():
    assert template(SIZES["everything"]) == template(SIZES["everything"])


def test_no_pod_may_more_than_pod_security_restricted_lets_it(release):
    for name, pod in release.pods():
        context = pod["securityContext"]
        assert (True, "RuntimeDefault") == (context["runAsNonRoot"], context["seccompProfile"]["type"]), name
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert {"drop": ["ALL"]} == rights["capabilities"], name
            assert (False, True) == (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]), (
                name
            )


def test_only_the_jobs_that_make_secrets_and_rotate_keys_have_a_token_of_the_cluster(release):
    holders = {name for name, pod in release.pods() if pod["automountServiceAccountToken"]}

    assert holders <= {"chat-roomwire-secrets-1", "chat-roomwire-keys"}


def test_the_job_that_makes_secrets_may_create_some_and_nothing_else():
    role = install().one("Role", "chat-roomwire-secrets")

    assert [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}] == role["rules"]


def test_services_inject_no_variables(release):
    assert all(pod["enableServiceLinks"] is False for _, pod in release.pods())


def test_no_secret_stands_in_the_manifests(release):
    assert [] == release.all("Secret")
    assert all(
        not re.search(r"PASSWORD(?!\w*_FILE$)|SECRET$|SIGNING_KEY$", entry["name"])
        for name, pod in release.pods()
        for container in pod["containers"]
        for entry in container.get("env", ())
    )


def test_every_container_says_what_it_needs_and_takes(release):
    for name, pod in release.pods():
        for container in pod["containers"]:
            assert {"cpu", "memory"} <= {*container["resources"]["requests"]}, name
            assert "memory" in container["resources"]["limits"], name


@pytest.mark.parametrize("size", ["everything", "tls"])
@pytest.mark.parametrize(("component", "settings"), [("gateway", GatewaySettings), ("auth", AuthSettings)])
def test_every_variable_is_set_once_and_known_to_its_service(component, settings, size):
    (container,) = install(SIZES[size]).one("Deployment", f"chat-roomwire-{component}")["spec"]["template"][
        "spec"
    ]["containers"]
    names = [entry["name"].removeprefix("ROOMWIRE_") for entry in container["env"]]
    known = {name.upper() for name in settings.model_fields}

    assert len({*names}) == len(names)
    assert set() == {name.removesuffix("_FILE") for name in {*names} - known} - known


def test_gateways_serve_the_application_that_is_named_and_else_that_of_their_image():
    named = install({"gateway": {"app": "board:app"}}).environment("chat-roomwire-gateway")

    assert "board:app" == named["ROOMWIRE_APP"]
    assert "ROOMWIRE_APP" not in install().environment("chat-roomwire-gateway")


@pytest.mark.parametrize(
    ("values", "throttle"),
    [
        ({}, "false"),
        ({"trustedProxies": ["10.0.0.0/8"]}, None),
        ({"auth": {"settings": {"THROTTLE": "true"}}}, "true"),
    ],
    ids=["no proxies", "proxies", "as the user says"],
)
def test_addresses_are_throttled_where_they_are_known(values, throttle):
    assert throttle == install(values).environment("chat-roomwire-auth").get("ROOMWIRE_THROTTLE")


def test_the_file_of_clients_is_where_auth_looks_for_it():
    release = install({"auth": {"clients": {"existingSecret": "backends"}}})
    pod = release.one("Deployment", "chat-roomwire-auth")["spec"]["template"]["spec"]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "clients"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "clients"]

    assert ("backends", 0o440) == (volume["secret"]["secretName"], volume["secret"]["defaultMode"])
    (item,) = volume["secret"]["items"]
    assert (True, "clients.toml") == (mount["readOnly"], item["key"])
    expected = f"{mount['mountPath']}/{item['path']}"
    assert expected == release.environment("chat-roomwire-auth")["ROOMWIRE_CLIENTS_FILE"]


def test_without_a_file_of_clients_nothing_is_mounted_for_it():
    release = install()

    assert "ROOMWIRE_CLIENTS_FILE" not in release.environment("chat-roomwire-auth")
    assert "/run/secrets/clients" not in template({})


@pytest.mark.parametrize("drain_s", [0, 30, 600])
def test_a_pod_gets_the_time_to_notice_to_drain_and_to_close(drain_s):
    release = install({"gateway": {"drainSeconds": drain_s}})
    pod = release.one("Deployment", "chat-roomwire-gateway")["spec"]["template"]["spec"]
    notice_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The drain may overrun, then the running requests may finish, then the application's lifespan.
    needed_s = notice_s + drain_s + 2 * CLOSE_TIMEOUT_S + LIFESPAN_END_S

    assert str(drain_s) == release.environment("chat-roomwire-gateway")["ROOMWIRE_DRAIN_S"]
    assert needed_s < pod["terminationGracePeriodSeconds"] <= needed_s + 10


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_an_upgrade_takes_no_pod_away_before_another_is_ready(component):
    deployment = install().one("Deployment", f"chat-roomwire-{component}")
    budget = install().one("PodDisruptionBudget", f"chat-roomwire-{component}")

    assert {"maxSurge": 1, "maxUnavailable": 0} == deployment["spec"]["strategy"]["rollingUpdate"]
    assert (1, "AlwaysAllow") == (
        budget["spec"]["maxUnavailable"],
        budget["spec"]["unhealthyPodEvictionPolicy"],
    )
    assert deployment["spec"]["selector"] == budget["spec"]["selector"]


@pytest.mark.parametrize("component", ["gateway", "auth"])
def test_life_and_readiness_are_different_questions_to_the_operations_port(component):
    (container,) = install().one("Deployment", f"chat-roomwire-{component}")["spec"]["template"]["spec"][
        "containers"
    ]
    asked = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}

    assert {"ops"} == {question["port"] for question in asked.values()}
    assert ("/readyz", "/livez", "/readyz") == tuple(question["path"] for question in asked.values())


def test_an_autoscaler_owns_the_number_of_gateways():
    scaled = install({"gateway": {"autoscaling": {"enabled": True}}})
    scaler = scaled.one("HorizontalPodAutoscaler", "chat-roomwire-gateway")["spec"]

    assert "replicas" not in scaled.one("Deployment", "chat-roomwire-gateway")["spec"]
    assert 2 == install().one("Deployment", "chat-roomwire-gateway")["spec"]["replicas"]
    assert "roomwire_connections" == scaler["metrics"][0]["pods"]["metric"]["name"]
    assert 600 == scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
    assert [{"type": "Pods", "value": 1, "periodSeconds": 120}] == scaler["behavior"]["scaleDown"]["policies"]


def test_a_digest_wins_over_a_tag():
    digest = f"sha256:{'a' * 64}"
    images = [
        install({"gateway": {"image": image}}).one("Deployment", "chat-roomwire-gateway")["spec"]["template"][
            "spec"
        ]["containers"][0]["image"]
        for image in ({}, {"tag": "7"}, {"tag": "7", "digest": digest})
    ]

    name = f"{REGISTRY}/roomwire-gateway"
    assert [f"{name}:0.1.0", f"{name}:7", f"{name}@{digest}"] == images


def test_a_change_of_redis_configuration_rolls_its_pod():
    annotations = [
        install({"redis": {"maxMemory": memory}}).one("StatefulSet", "chat-roomwire-redis")["spec"][
            "template"
        ]["metadata"]["annotations"]
        for memory in ("384mb", "512mb")
    ]

    assert annotations[0] != annotations[1]


def test_two_releases_share_a_namespace():
    one, other = install(SIZES["everything"], release="one"), install(SIZES["everything"], release="two")
    names = [
        {(document["kind"], document["metadata"]["name"]) for document in release.documents}
        for release in (one, other)
    ]
    selectors = [
        {str(service["spec"]["selector"]) for service in release.all("Service")} for release in (one, other)
    ]

    assert set() == names[0] & names[1]
    assert set() == selectors[0] & selectors[1]


def test_objects_carry_the_recommended_labels(release):
    wanted = {
        f"app.kubernetes.io/{name}"
        for name in ("name", "instance", "component", "version", "managed-by", "part-of")
    }

    for document in release.documents:
        assert wanted <= {*document["metadata"]["labels"]}, document["metadata"]["name"]


def test_a_pods_name_fits_a_gateways_name():
    release = install(release="a" * 50)

    # A pod's name is its ReplicaSet's name, with 10 characters for the template and 5 for the pod.
    assert all(len(deployment["metadata"]["name"]) + 17 <= 63 for deployment in release.all("Deployment"))
