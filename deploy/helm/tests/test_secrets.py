"""The script of the Job that makes secrets, against an API server of the test's own."""

import datetime as dt
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chart import CHART, install
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.settings import Settings
from roomwire.tokens import SigningKey

SCRIPT = CHART / "files/make_secrets.py"


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cluster")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1)
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(pem)


@pytest.fixture
def cluster(tmp_path):
    """An API server that takes Secrets, and a function that runs the Job's script there."""
    certificate(tmp_path)
    (tmp_path / "namespace").write_text("den")
    (tmp_path / "token").write_text("a token")
    stored = {}

    class Api(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = body["metadata"]["name"]
            allowed = ("/api/v1/namespaces/den/secrets", "Bearer a token") == (
                self.path,
                self.headers["Authorization"],
            )
            self.send_response(403 if not allowed else 409 if name in stored else 201)
            self.end_headers()
            if allowed:
                stored.setdefault(name, body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.crt", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = tmp_path / SCRIPT.name
    script.write_text(
        SCRIPT.read_text().replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path))
    )
    (job,) = install().all("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]

    def run():
        told = {entry["name"]: entry["value"] for entry in container["env"]}
        address = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.server_port)}
        return subprocess.run(
            [sys.executable, script],
            env=os.environ | told | address,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    yield run, stored
    server.shutdown()
    server.server_close()


def test_what_is_missing_is_made_once_and_stays(cluster):
    run, stored = cluster

    assert 3 == run().count(": made")
    before = json.dumps(stored)
    assert 3 == run().count(": there already")
    assert before == json.dumps(stored)


def test_pods_find_the_secrets_and_the_keys_that_they_mount(cluster):
    run, stored = cluster
    run()
    mounted = {
        (volume["secret"]["secretName"], item["key"])
        for _, pod in install().pods()
        for volume in pod.get("volumes", ())
        if "secret" in volume
        for item in volume["secret"]["items"]
    }

    assert mounted == {(name, key) for name, body in stored.items() for key in body["stringData"]}


def test_services_take_what_is_made(cluster, monkeypatch):
    run, stored = cluster
    run()
    url = stored["chat-roomwire-redis"]["stringData"]["gateway-url"]
    monkeypatch.setenv("ROOMWIRE_REDIS_URL", url)

    assert url == Settings.load().redis_url.get_secret_value()
    assert url.endswith("@chat-roomwire-redis:6379/0")
    assert SigningKey.from_pem(stored["chat-roomwire-signing-key"]["stringData"]["signing-key.pem"])
    assert 32 <= len(stored["chat-roomwire-relay"]["stringData"]["secret"])


def test_nothing_secret_is_printed(cluster):
    run, stored = cluster
    printed = run()

    assert not [
        value for body in stored.values() for value in body["stringData"].values() if value in printed
    ]


def test_a_script_of_the_chart_does_not_stand_in_for_a_module_that_others_import():
    # A script's folder comes first in the search for modules: `secrets.py` was Python's own once.
    for script in (CHART / "files").glob("*.py"):
        assert script.stem not in sys.stdlib_module_names
