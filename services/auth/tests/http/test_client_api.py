"""Clients' tokens over HTTP (RFC 6749, sections 4.4 and 5), on a real Redis."""

import pytest

from roomwire.identity.capabilities import load_policy
from roomwire_auth.clients.clients import new_secret, secret_digest

SECRET = new_secret()
GRANT = {"grant_type": "client_credentials"}
PROXY = "127.0.0.1"


@pytest.fixture
def clients_file(tmp_path):
    file = tmp_path / "clients.toml"
    file.write_text(f'[clients.reports]\nsecret_sha256 = ["{secret_digest(SECRET)}"]\n')
    return file


@pytest.fixture
def settings(settings, clients_file):
    return settings.model_copy(update={"clients_file": clients_file, "trusted_proxies": [PROXY]})


def ask(client, secret=SECRET, *, client_id="reports", address="198.51.100.1"):
    headers = {"x-forwarded-for": address}
    return client.post("/auth/token", data=GRANT, auth=(client_id, secret), headers=headers)


async def test_a_client_gets_a_token_that_gateways_accept_as_a_service(client, verify):
    response = await ask(client)

    granted = response.json()
    assert (200, "no-store", "no-cache") == (
        response.status_code,
        response.headers["cache-control"],
        response.headers["pragma"],
    )
    assert {"access_token", "token_type", "expires_in"} == {*granted}
    assert ("Bearer", 600) == (granted["token_type"], granted["expires_in"])
    user = await verify(granted["access_token"])
    assert ("client:reports", "reports", "service", "") == (user.id, user.name, user.kind, user.session)
    assert load_policy().of_role("service") == user.capabilities


async def test_credentials_may_stand_in_the_body(client):
    body = GRANT | {"client_id": "reports", "client_secret": SECRET}

    assert 200 == (await client.post("/auth/token", data=body)).status_code


async def test_an_unknown_client_and_a_wrong_secret_are_the_same_answer(client):
    answers = [await ask(client, "wrong"), await ask(client, client_id="billing")]

    description = "The client is not known, or its secret is wrong."
    expected = {"error": "invalid_client", "error_description": description}
    assert [(401, expected)] * 2 == [(answer.status_code, answer.json()) for answer in answers]
    assert ["Basic"] * 2 == [answer.headers["www-authenticate"].split()[0] for answer in answers]


async def test_without_a_file_nobody_is_a_client(open_client, settings):
    client = open_client(settings.model_copy(update={"clients_file": None}))

    assert "invalid_client" == (await ask(client)).json()["error"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"json": GRANT}, "invalid_request"),
        ({"data": {"grant_type": "password"}}, "unsupported_grant_type"),
        ({"data": GRANT | {"scope": "all"}}, "invalid_scope"),
    ],
)
async def test_what_is_no_request_is_told_as_the_standard_says(client, options, expected):
    response = await client.post("/auth/token", auth=("reports", SECRET), **options)

    assert (400, expected) == (response.status_code, response.json()["error"])
    assert "no-store" == response.headers["cache-control"]
    assert "www-authenticate" not in response.headers


async def test_a_client_that_fails_too_often_has_to_wait_there_and_others_do_not(open_client, settings):
    client = open_client(settings.model_copy(update={"max_login_failures": 2}))
    failed = [await ask(client, "wrong") for _ in range(2)]

    refused = await ask(client)
    elsewhere = await ask(client, address="198.51.100.2")

    assert [401, 401, 429, 200] == [answer.status_code for answer in (*failed, refused, elsewhere)]
    assert 1 <= int(refused.headers["retry-after"]) <= settings.throttle_window_s
    assert "rate_limited" == refused.json()["error"]["code"]


async def test_a_body_without_end_is_too_large(client):
    response = await client.post("/auth/token", data=GRANT | {"x": "x" * 20_000})

    assert 413 == response.status_code


async def test_each_answer_is_a_line_without_the_secret_and_without_what_is_no_clients_name(
    client, log_events
):
    await ask(client)
    await ask(client, "wrong")
    await ask(client, SECRET, client_id=SECRET)

    common = {"audit": True, "address": "198.51.100.1", "log_level": "info"}
    assert [
        {"event": "client token issued", "client": "reports", "role": "service"} | common,
        {"event": "client refused", "client": "reports"} | common,
        {"event": "client refused", "client": None} | common,
    ] == log_events
