"""The process: `python -m roomwire_auth`."""

import json
import os
import socket
import subprocess
import sys

import httpx
import pytest

from roomwire.identity.capabilities import load_policy
from roomwire.identity.tokens import SigningKey
from roomwire_auth.clients.clients import Clients
from roomwire_local.free_ports import free_ports

COMMAND = [sys.executable, "-m", "roomwire_auth"]
ADA = {"username": "ada", "password": "correct horse"}
HOST = "127.0.0.1"
TIMEOUT_S = 60


def environment(**settings):
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    return own | {f"ROOMWIRE_{name.upper()}": str(value) for name, value in settings.items()}


def run(*arguments, **settings):
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


class Service:
    """A running service; `lines` are those of its log so far."""

    def __init__(self, **settings):
        self.port, self.ops_port = free_ports(2)
        self._process = subprocess.Popen(
            COMMAND,
            env=environment(port=self.port, ops_port=self.ops_port, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []

    def wait_for(self, event):
        for line in self._process.stdout:
            self.lines.append(line)
            if json.loads(line)["event"] == event:
                return
        raise AssertionError(f"it ended without {event!r}: {self.lines}")

    def terminate(self):
        """Send SIGTERM; returns the exit status."""
        self._process.terminate()
        rest, _ = self._process.communicate(timeout=TIMEOUT_S)
        self.lines += rest.splitlines()
        return self._process.returncode

    def close(self):
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def service(redis_url, signing_key):
    service = Service(redis_url=redis_url, signing_key=signing_key.to_pem())
    service.wait_for("ready")
    yield service
    service.close()


def test_it_serves_until_sigterm_and_logs_no_secret(service):
    with httpx.Client(base_url=f"http://{HOST}:{service.port}/auth") as client:
        ready = httpx.get(f"http://{HOST}:{service.ops_port}/readyz")
        registered = client.post("/register", json=ADA)
        client.post("/login", json=ADA | {"password": "wrong horse"})
        refresh = {"refresh_token": registered.json()["refresh_token"]}
        refreshed = client.post("/refresh", json=refresh)
        following = {"refresh_token": refreshed.json()["refresh_token"]}
        statuses = [client.post("/refresh", json=body).status_code for body in (refresh, following, refresh)]
        metrics = httpx.get(f"http://{HOST}:{service.ops_port}/metrics").text

    assert 200 == ready.status_code
    assert {"status": "ready", "store": "ok"}.items() <= ready.json().items()
    assert [201, 200, 200, 200, 401] == [registered.status_code, refreshed.status_code, *statuses]
    assert 'roomwire_auth_requests_total{route="/auth/register",status="201"} 1.0' in metrics
    assert service.terminate() == 0
    log = "\n".join(service.lines)
    audited = [json.loads(line) for line in service.lines if '"audit": true' in line]
    assert [
        "account registered",
        "logged in",
        "login refused",
        "refresh token repeated",
        "refresh token reused",
    ] == [line["event"] for line in audited]
    assert {("auth.audit", HOST)} == {(line["logger"], line["address"]) for line in audited}
    secrets = [ADA["password"], "wrong horse", registered.json()["access_token"]]
    secrets += [refresh["refresh_token"], following["refresh_token"]]
    assert [] == [secret for secret in secrets if secret in log]


def test_a_body_without_end_is_cut_off(service):
    head = b"POST /auth/login HTTP/1.1\r\nHost: auth\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((HOST, service.port), timeout=TIMEOUT_S) as client:
        client.sendall(head)

        with pytest.raises(ConnectionError):
            send_for_ever(client, b"3e8\r\n" + b" " * 1_000 + b"\r\n")


def send_for_ever(client, chunk):
    while True:
        client.sendall(chunk)


def test_a_new_key_is_a_key():
    made = run("new-key")

    assert (0, "") == (made.returncode, made.stderr)
    assert made.stdout == SigningKey.from_pem(made.stdout).to_pem()


def test_the_command_makes_a_keyring_that_the_service_takes(tmp_path):
    file = tmp_path / "signing-key.pem"
    file.write_text(SigningKey.generate().to_pem())

    rotated = run("rotate-keys", signing_key_file=file)
    taken = run("check-config", signing_key_file=file)

    assert (0, "") == (rotated.returncode, rotated.stderr)
    assert ["signing", "next"] == [line.split()[1] for line in rotated.stdout.splitlines()]
    assert (0, "") == (taken.returncode, taken.stderr)
    assert "PRIVATE" not in taken.stdout + rotated.stdout


def test_the_command_makes_a_client_that_the_service_takes(tmp_path, signing_key):
    file = tmp_path / "clients.toml"
    made = [run("new-client", "reports"), run("new-client", "a.b", "--role", "admin")]
    file.write_text("".join(one.stdout for one in made))
    taken = run("check-config", signing_key=signing_key.to_pem(), clients_file=file)

    assert [0, 0, 0] == [one.returncode for one in (*made, taken)]
    clients = Clients(file, load_policy())
    secrets = [one.stderr.rsplit(" ", 1)[1].strip() for one in made]
    assert ["service", "admin"] == [
        clients.find(name, secret).role for name, secret in zip(("reports", "a.b"), secrets, strict=True)
    ]
    assert 43 == len(secrets[0])
    assert not any(secret in file.read_text() for secret in secrets)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["no name!"],
            "auth: a client's name has 1 to 64 letters (a-z), digits, '_', '.' or '-'",
        ),
        (
            ["reports", "--role", "boss"],
            "auth: the policy has no role 'boss': use one of admin, guest, service, user",
        ),
    ],
)
def test_a_client_that_cannot_be_is_one_sentence_and_status_2(arguments, sentence):
    refused = run("new-client", *arguments)

    assert (2, "", sentence + "\n") == (refused.returncode, refused.stdout, refused.stderr)


def test_the_settings_are_shown_without_the_key():
    pem = SigningKey.generate().to_pem()

    shown = run("check-config", signing_key=pem)

    assert (0, "") == (shown.returncode, shown.stderr)
    assert "ROOMWIRE_SIGNING_KEY=********" in shown.stdout.splitlines()
    assert pem.splitlines()[1] not in shown.stdout


@pytest.mark.parametrize("command", ["run", "check-config"])
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {},
            (
                "auth: there is no signing key: run `python -m roomwire_auth new-key > signing-key.pem`"
                " and set ROOMWIRE_SIGNING_KEY_FILE=signing-key.pem"
            ),
        ),
        (
            {"signing_key": "nonsense"},
            "auth: the signing key is not an Ed25519 private key in PEM: create one with `python -m roomwire_auth new-key`",
        ),
        (
            {"redis_url": "memory://"},
            "auth: ROOMWIRE_REDIS_URL: accounts need Redis or Valkey: memory:// works for a single gateway only",
        ),
        (
            {"access_ttl_s": "0"},
            "auth: ROOMWIRE_ACCESS_TTL_S: input should be greater than or equal to 30 (it is '0')",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_status_2(command, settings, sentence):
    refused = run(command, **settings)

    assert (2, "", sentence + "\n") == (refused.returncode, refused.stdout, refused.stderr)
