"""The audit log: what it has of everything that can happen, and what it never has; on a real Redis."""

import re
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from roomwire.identity.tokens import SigningKey
from roomwire_auth.audit import Event
from roomwire_auth.clients.clients import new_secret, secret_digest
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.settings import Settings

NAME = "zoe_whom_no_random_id_spells"
ZOE = {"username": NAME, "password": "correct horse"}
MISTYPED = {"username": "correct horse", "password": NAME}
NEW = "new horse battery"
SECRET = new_secret()
DOCS = Path(__file__).parents[3] / "docs/tokens.md"


def entry(name):
    return f'[clients.{name}]\nsecret_sha256 = ["{secret_digest(SECRET)}"]\n'


def documented():
    rows = re.findall(r"^\| `([a-z ]+)` \| (.*?) \|", DOCS.read_text().split("## Audit log")[1], re.MULTILINE)
    return {event: {*re.findall(r"`(\w+)`", fields)} for event, fields in rows}


class Story:
    """Does everything that there is to tell, and keeps every secret that it met."""

    def __init__(self, client):
        self.client = client
        self.secrets = [ZOE["password"], NEW, "wrong horse", SECRET]

    async def ask(self, route, body=None, *, method="POST", token=""):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await self.client.request(method, f"/auth/{route}", json=body, headers=headers)
        answer = response.json() if response.content else {}
        self.secrets += [answer[name] for name in ("access_token", "refresh_token") if name in answer]
        return answer

    async def tell(self):
        zoe = await self.ask("register", ZOE)
        for body in (ZOE | {"password": "wrong horse"}, MISTYPED):
            await self.ask("login", body)
        guest = await self.ask("guest", {})
        await self.ask("logout", {"refresh_token": guest["refresh_token"]})
        first = {"refresh_token": zoe["refresh_token"]}
        second = {"refresh_token": (await self.ask("refresh", first))["refresh_token"]}
        await self.ask("refresh", first)
        await self.ask("refresh", second)
        await self.ask("refresh", first)
        _, two, _ = [await self.ask("login", ZOE) for _ in range(3)]
        listed = (await self.ask("sessions", method="GET", token=two["access_token"]))["sessions"]
        (other,) = [session["id"] for session in listed if not session["is_present"]]
        await self.ask(f"sessions/{other}", method="DELETE", token=two["access_token"])
        change = {"current_password": ZOE["password"], "new_password": NEW}
        for body in (change | {"current_password": "wrong horse"}, change):
            await self.ask("password", body, token=two["access_token"])
        await self.ask("logout-everywhere", token=two["access_token"])
        four = await self.ask("login", ZOE | {"password": NEW})
        await self.ask("delete-account", {"password": NEW}, token=four["access_token"])
        for name, secret in (("reports", SECRET), ("reports", "wrong horse"), (SECRET, SECRET)):
            form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
            answer = (await self.client.post("/auth/token", data=form)).json()
            self.secrets += [answer["access_token"]] if "access_token" in answer else []
        for _ in range(3):
            await self.ask("guest", {})


@pytest.fixture
async def told(open_client, redis_url, signing_key, tmp_path, monkeypatch, log_events):
    """Return the lines of a story in which everything happens, and its secrets."""
    keys, clients = tmp_path / "keys", tmp_path / "clients.toml"
    keys.write_text(signing_key.to_pem())
    clients.write_text(entry("reports"))
    monkeypatch.setenv("ROOMWIRE_SIGNING_KEY_FILE", str(keys))
    settings = Settings(
        redis_url=redis_url, clients_file=clients, max_sessions=2, max_guests_per_address=2
    ).model_copy(update={"argon2_time_cost": 1, "argon2_memory_kib": 7_168})
    story = Story(open_client(settings))
    await story.tell()
    monkeypatch.setattr("roomwire_auth.reread.REREAD_S", 0.0)
    ring = Keyring([(0, SigningKey.generate())]).rotated(time.time(), lead_s=900)
    keys.write_text(ring.dump())
    clients.write_text(entry("billing"))
    form = {"grant_type": "client_credentials", "client_id": "billing", "client_secret": SECRET}
    story.secrets.append((await story.client.post("/auth/token", data=form)).json()["access_token"])
    story.secrets += SecretStr(ring.dump()).get_secret_value().splitlines()[3:5]
    return [event for event in log_events if event.get("audit")], story.secrets


async def test_everything_that_can_happen_is_a_line_with_the_fields_that_are_documented(told):
    lines, _ = told

    fields = {line["event"]: {*line} - {"event", "audit", "log_level"} for line in lines}
    assert documented() == fields
    assert {event.value for event in Event} == {*fields}
    assert {"refresh token reused"} == {line["event"] for line in lines if line["log_level"] == "warning"}


async def test_no_line_has_a_secret_or_a_name_that_somebody_typed(told):
    lines, secrets = told

    text = repr(lines)
    assert len(secrets) > 20
    assert [] == [secret for secret in secrets if secret in text]
    assert NAME not in text


async def test_lines_about_one_session_have_its_name_in_common(told):
    lines, _ = told

    def of(event):
        return next(line for line in lines if line["event"] == event)

    reused, repeated, began = (
        of(event) for event in ("refresh token reused", "refresh token repeated", "logged in")
    )
    assert reused["session"] == repeated["session"] == began["session"]
    assert of("session displaced")["session"] in {
        line["session"] for line in lines if line["event"] == "logged in"
    }
    assert of("session ended")["by"] in of("logged out everywhere")["session"]
    assert of("account registered")["user"] == of("account deleted")["user"]
    assert [None, "reports"] == sorted(
        {line["client"] for line in lines if line["event"] == "client refused"}, key=str
    )
