"""The scripts of the Jobs that create secrets and rotate keys, against an API server of the test."""

import base64
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from chart import CHART, install

from roomwire.identity.tokens import SigningKey
from roomwire_auth.keys.keyring import Keyring
from roomwire_gateway.settings import Settings
from roomwire_local.certificates import Authority

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SIGNING_KEY = "chat-roomwire-signing-key"


class Api(BaseHTTPRequestHandler):
    """Secrets of one namespace, stored as Kubernetes does; `rivals` change a Secret before its next patch."""

    stored: dict
    rivals: list
    SECRETS = "/api/v1/namespaces/den/secrets"

    def do_POST(self):
        body = self._body()
        name = body["metadata"]["name"]
        if self.path != self.SECRETS or name in self.stored:
            self._answer(404 if self.path != self.SECRETS else 409)
            return
        self._store(name, body, 1)
        self._answer(201, self.stored[name])

    def do_GET(self):
        found = self.stored.get(self._name())
        self._answer(200 if found else 404, found)

    def do_PATCH(self):
        body, name = self._body(), self._name()
        if self.rivals:
            self.rivals.pop()(self.stored[name])
        at = self.stored[name]["metadata"]["resourceVersion"]
        if "application/merge-patch+json" != self.headers["Content-Type"]:
            self._answer(415)
        elif body["metadata"]["resourceVersion"] != at:
            self._answer(409)
        else:
            self._store(name, body, int(at) + 1)
            self._answer(200, self.stored[name])

    def _name(self):
        return self.path.removeprefix(f"{self.SECRETS}/")

    def _body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _store(self, name, body, version):
        data = {key: base64.b64encode(value.encode()).decode() for key, value in body["stringData"].items()}
        self.stored[name] = {"metadata": {"name": name, "resourceVersion": str(version)}, "data": data}

    def _answer(self, status, body=None):
        if "Bearer a token" != self.headers["Authorization"]:
            status, body = 403, None
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body or {}).encode())

    def log_message(self, *args):
        pass


class Cluster:
    """The content of the API server, and a way to run a Job's script against it."""

    def __init__(self, folder, port):
        self.stored = {}
        self.rivals = []
        self.folder = folder
        self.port = port

    def content(self, name, key):
        return base64.b64decode(self.stored[name]["data"][key]).decode()

    def keyring(self):
        return Keyring.parse(self.content(SIGNING_KEY, "signing-key.pem"))

    def run(self, pod, **more):
        """Run the script of one of the chart's pods, with its scripts mounted; returns its output."""
        (container,) = pod["containers"]
        (volume,) = pod["volumes"]
        scripts = install().one("ConfigMap", volume["configMap"]["name"])["data"]
        for name, text in scripts.items():
            (self.folder / name).write_text(text.replace(ACCOUNT, str(self.folder)))
        told = {entry["name"]: entry["value"] for entry in container["env"]}
        address = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}
        return subprocess.run(
            [sys.executable, self.folder / Path(container["command"][1]).name],
            env=os.environ | told | address | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def make_secrets(self):
        (job,) = install().all("Job")
        return self.run(job["spec"]["template"]["spec"])

    def rotate(self, **more):
        return self.run(rotation(install()), **more)


def rotation(release):
    """Return the pod that rotates keys."""
    (job,) = release.all("CronJob")
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.fixture
def cluster(tmp_path):
    chain, key = Authority().write(tmp_path, "127.0.0.1")
    (tmp_path / "namespace").write_text("den")
    (tmp_path / "token").write_text("a token")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Mine", (Api,), {}))
    made = Cluster(tmp_path, server.server_port)
    server.RequestHandlerClass.stored, server.RequestHandlerClass.rivals = made.stored, made.rivals
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def test_what_is_missing_is_made_once_and_stays(cluster):
    assert 3 == cluster.make_secrets().count(": created")
    before = json.dumps(cluster.stored)
    assert 3 == cluster.make_secrets().count(": exists already")
    assert before == json.dumps(cluster.stored)


def test_pods_find_the_secrets_and_the_keys_that_they_mount(cluster):
    cluster.make_secrets()
    mounted = {
        (volume["secret"]["secretName"], item["key"])
        for _, pod in install().pods()
        for volume in pod.get("volumes", ())
        if "secret" in volume
        for item in volume["secret"]["items"]
    }

    assert mounted == {(name, key) for name, secret in cluster.stored.items() for key in secret["data"]}


def test_services_take_what_is_made(cluster, monkeypatch):
    cluster.make_secrets()
    url = cluster.content("chat-roomwire-redis", "gateway-url")
    monkeypatch.setenv("ROOMWIRE_REDIS_URL", url)

    assert url == Settings.load().redis_url.get_secret_value()
    assert url.endswith("@chat-roomwire-redis:6379/0")
    assert cluster.keyring()
    assert 32 <= len(cluster.content("chat-roomwire-relay", "secret"))


def test_nothing_secret_is_printed(cluster):
    printed = cluster.make_secrets() + cluster.rotate()
    secrets = [
        cluster.content(name, key) for name, secret in cluster.stored.items() for key in secret["data"]
    ]

    assert not [secret for secret in secrets if secret in printed]
    assert "PRIVATE" not in printed


def test_a_rotation_adds_a_key_that_is_published_before_it_signs(cluster):
    cluster.make_secrets()
    (old,) = cluster.keyring().published(time.time())

    printed = cluster.rotate()

    now = time.time()
    states = list(cluster.keyring().states(now))
    assert [(old.kid, "signing"), (states[1].key.kid, "next")] == [(one.key.kid, one.state) for one in states]
    assert now + 3500 < states[1].until <= now + 3600
    assert f"{SIGNING_KEY}: {old.kid} signing until" in printed


def test_a_rotation_changes_nothing_while_a_next_key_waits(cluster):
    cluster.make_secrets()
    cluster.rotate()
    before = json.dumps(cluster.stored)

    cluster.rotate()

    assert before == json.dumps(cluster.stored)


@pytest.mark.parametrize("seconds", ["7200", 7200], ids=["text", "number"])
def test_the_next_key_waits_as_long_as_the_auth_service_is_told(cluster, seconds):
    cluster.make_secrets()
    values = {"auth": {"settings": {"KEY_LEAD_S": seconds}}}
    cluster.run(rotation(install(values)))

    assert 7100 < list(cluster.keyring().states(time.time()))[1].until - time.time() <= 7200


def test_a_rotation_does_not_undo_what_another_changed_at_the_same_moment(cluster):
    cluster.make_secrets()
    theirs = Keyring([(0, SigningKey.generate())])

    def change(secret):
        secret["metadata"]["resourceVersion"] = "7"
        secret["data"]["signing-key.pem"] = base64.b64encode(theirs.dump().encode()).decode()

    cluster.rivals.append(change)
    cluster.rotate()

    now = time.time()
    assert theirs.signing(now).kid == cluster.keyring().signing(now).kid
    assert 2 == len(cluster.keyring().published(now))


def test_a_secret_that_holds_no_keyring_is_a_sentence_and_stays(cluster):
    cluster.make_secrets()
    cluster.stored[SIGNING_KEY]["data"]["signing-key.pem"] = base64.b64encode(b"{nonsense").decode()
    before = json.dumps(cluster.stored)

    with pytest.raises(subprocess.CalledProcessError) as failed:
        cluster.rotate()

    assert f"{SIGNING_KEY}: the keyring is not in the format" in failed.value.stderr
    assert "Traceback" not in failed.value.stderr
    assert before == json.dumps(cluster.stored)


def test_the_job_that_rotates_may_read_and_change_that_secret_alone():
    release = install()
    pod = rotation(release)
    role = release.one("Role", "chat-roomwire-keys")
    (binding,) = [one for one in release.all("RoleBinding") if one["metadata"]["name"].endswith("-keys")]

    assert [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [SIGNING_KEY],
            "verbs": ["get", "patch"],
        }
    ] == role["rules"]
    assert {pod["serviceAccountName"]} == {subject["name"] for subject in binding["subjects"]}
    assert {"kind": "Role", "name": "chat-roomwire-keys"}.items() <= binding["roleRef"].items()
    assert ["python"] == pod["containers"][0]["command"][:1]


def test_two_rotations_never_run_at_a_time():
    assert "Forbid" == install().one("CronJob", "chat-roomwire-keys")["spec"]["concurrencyPolicy"]


@pytest.mark.parametrize(
    "auth",
    [{"rotation": {"schedule": ""}}, {"existingSecret": "mine"}],
    ids=["no schedule", "a Secret of the operator"],
)
def test_keys_are_rotated_only_on_a_schedule_and_in_a_secret_of_the_chart(auth):
    release = install({"auth": {"signingKey": auth}})

    assert [] == release.all("CronJob")
    assert not [one for one in release.documents if one["metadata"]["name"].endswith("-keys")]


def test_a_script_of_the_chart_does_not_stand_in_for_a_module_that_others_import():
    # A script's folder comes first in the module search path, so a script named `secrets.py` would hide Python's module.
    for script in (CHART / "files").glob("*.py"):
        assert script.stem not in sys.stdlib_module_names
