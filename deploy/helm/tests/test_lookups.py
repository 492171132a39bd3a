"""What the chart derives from objects in the cluster: Helm asks an API server of the test."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chart import install

KINDS = {
    "v1": ["ConfigMap", "Pod", "Secret", "Service", "ServiceAccount"],
    "apps/v1": ["Deployment", "StatefulSet"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "batch/v1": ["CronJob", "Job"],
    "networking.k8s.io/v1": ["Ingress", "NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
    "rbac.authorization.k8s.io/v1": ["Role", "RoleBinding"],
}
"""The API server's kinds: all kinds of the chart's defaults."""
SECRETS = "/api/v1/namespaces/den/secrets/chat-roomwire-"
GATEWAYS = "/apis/apps/v1/namespaces/den/deployments/chat-roomwire-gateway"
AUTOSCALER = "/apis/autoscaling/v2/namespaces/den/horizontalpodautoscalers/chat-roomwire-gateway"


def plural(kind):
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def discovered(path):
    """Return the API server's discovery documents; None for an object's path."""
    if path == "/version":
        return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [
            dict(zip(("group", "version"), name.split("/"), strict=True)) for name in KINDS if "/" in name
        ]
        return {
            "kind": "APIGroupList",
            "groups": [
                {
                    "name": one["group"],
                    "versions": [
                        {"groupVersion": f"{one['group']}/{one['version']}", "version": one["version"]}
                    ],
                }
                for one in groups
            ],
        }
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in KINDS:
        return None
    return {
        "kind": "APIResourceList",
        "groupVersion": version,
        "resources": [
            {"name": plural(kind), "kind": kind, "namespaced": True, "verbs": ["get"]}
            for kind in KINDS[version]
        ],
    }


class Api(BaseHTTPRequestHandler):
    """Answers requests by path, and records which objects were requested; it is read-only."""

    stored: dict
    asked: list

    def do_GET(self):
        path = self.path.partition("?")[0]
        answer = discovered(path)
        if answer is None:
            self.asked.append(path)
            answer = self.stored.get(path)
        missing = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": "NotFound",
            "code": 404,
        }
        body = json.dumps(answer or missing).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Cluster:
    """The content of the API server, and a way to render the chart against it."""

    def __init__(self, port):
        self.stored = {}
        self.asked = []
        self._port = port

    def has(self, path, kind, version, *, annotations=None, **content):
        """Add an object of this release to the cluster."""
        *_, name = path.split("/")
        self.stored[path] = {
            "kind": kind,
            "apiVersion": version,
            "metadata": {
                "name": name,
                "namespace": "den",
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {
                    "meta.helm.sh/release-name": "chat",
                    "meta.helm.sh/release-namespace": "den",
                    **(annotations or {}),
                },
            },
            **content,
        }

    def render(self, values=None):
        here = ("--kube-apiserver", f"http://127.0.0.1:{self._port}")
        return install(values, "--dry-run=server", "--disable-openapi-validation", *here)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    # None of the user's own clusters is queried.
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Mine", (Api,), {}))
    made = Cluster(server.server_port)
    server.RequestHandlerClass.stored, server.RequestHandlerClass.asked = made.stored, made.asked
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def kinds_made(release):
    """Return the kinds of secrets that the Job is to create."""
    (container,) = release.job("chat-roomwire-secrets-1")["spec"]["template"]["spec"]["containers"]
    (told,) = [entry["value"] for entry in container["env"] if entry["name"] == "SECRET_KINDS"]
    return told


def test_secrets_that_are_there_are_not_made(cluster):
    cluster.has(f"{SECRETS}signing-key", "Secret", "v1")

    assert "redis,relay" == kinds_made(cluster.render())


def test_where_all_secrets_are_there_nothing_is_left_of_what_makes_them(cluster):
    for kind in ("redis", "signing-key", "relay"):
        cluster.has(f"{SECRETS}{kind}", "Secret", "v1")

    names = {one["metadata"]["name"] for one in cluster.render().documents}
    assert "chat-roomwire-gateway" in names
    assert not [name for name in names if name.startswith("chat-roomwire-secrets")]


def test_the_cluster_is_asked_once_for_a_secret_so_that_all_objects_see_one_answer(cluster):
    cluster.render()

    assert sorted(f"{SECRETS}{kind}" for kind in ("redis", "relay", "signing-key")) == sorted(
        path for path in cluster.asked if path.startswith(SECRETS)
    )


KEPT = "roomwire.io/replicas-kept-over"
SCALED = {"gateway": {"autoscaling": {"enabled": True, "minReplicas": 3}}}


def gateways(release):
    """Return the Deployment's number of gateways, and the number over which it was kept."""
    deployment = release.one("Deployment", "chat-roomwire-gateway")
    return deployment["spec"].get("replicas"), deployment["metadata"].get("annotations", {}).get(KEPT)


@pytest.mark.parametrize(
    ("running", "told"), [(7, 7), (1, 3)], ids=["more run", "fewer run than it may have"]
)
def test_the_autoscaler_begins_with_what_runs(cluster, running, told):
    cluster.has(GATEWAYS, "Deployment", "apps/v1", spec={"replicas": running})

    assert (told, None) == gateways(cluster.render(SCALED))


def test_nothing_is_told_of_a_number_to_a_cluster_that_has_no_gateways_yet(cluster):
    assert (None, None) == gateways(cluster.render(SCALED))


@pytest.mark.parametrize(("running", "told", "over"), [(7, 7, "2"), (1, 2, None)], ids=["more", "fewer"])
def test_what_runs_goes_on_when_the_autoscaler_is_switched_off(cluster, running, told, over):
    cluster.has(GATEWAYS, "Deployment", "apps/v1", spec={"replicas": running})
    cluster.has(AUTOSCALER, "HorizontalPodAutoscaler", "autoscaling/v2")

    assert (told, over) == gateways(cluster.render())


@pytest.mark.parametrize(
    ("declared", "told", "over"), [(2, 7, "2"), (4, 4, None)], ids=["the same", "another"]
)
def test_it_goes_on_until_another_number_is_declared(cluster, declared, told, over):
    cluster.has(GATEWAYS, "Deployment", "apps/v1", spec={"replicas": 7}, annotations={KEPT: "2"})

    assert (told, over) == gateways(cluster.render({"gateway": {"replicas": declared}}))


def test_a_number_that_was_set_by_hand_is_reset(cluster):
    cluster.has(GATEWAYS, "Deployment", "apps/v1", spec={"replicas": 7})

    assert (2, None) == gateways(cluster.render())
