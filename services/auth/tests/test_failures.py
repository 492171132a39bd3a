"""Every failure has the one shape, and nothing of what the client sent."""

import httpx
import pytest

from auth.errors import UsernameTaken
from auth.failures import Guard
from roomwire.errors import Forbidden, Unavailable

JSON = {"content-type": "application/json"}
BAD_BODIES = [
    pytest.param(b"", "body: this is required.", id="none"),
    pytest.param(b"{", "body: this is no JSON.", id="half an object"),
    pytest.param(b"[]", "body: this must be a JSON object, sent as application/json.", id="an array"),
    pytest.param(b'"Secret12"', "body: this must be a JSON object, sent as application/json.", id="a string"),
    pytest.param(b"null", "body: this must be a JSON object, sent as application/json.", id="null"),
    pytest.param(b"[" * 10_000, "The body does not have the expected shape.", id="too deep"),
    pytest.param(b"\xff", "The body does not have the expected shape.", id="no UTF-8"),
    pytest.param(b"{}", "username: this is required.", id="no field"),
    pytest.param(b'{"username": "ada"}', "password: this is required.", id="one field"),
    pytest.param(
        b'{"username": "Secret!", "password": "12345678"}',
        "username: use 2 to 32 letters (a-z), digits, '_', '.' or '-'.",
        id="username",
    ),
    pytest.param(
        b'{"username": 1, "password": "12345678"}', "username: this must be a string.", id="a number"
    ),
    pytest.param(
        b'{"username": "ada", "password": "Secret1"}',
        "password: use at least 8 characters.",
        id="short password",
    ),
    pytest.param(
        b'{"username": "ada", "password": "%s"}' % (b"Secret" * 50),
        "password: use at most 256 characters.",
        id="long password",
    ),
    pytest.param(
        b'{"username": "ada", "password": "\\ud800Secret12"}',
        "password: this is no valid text.",
        id="half a pair",
    ),
    pytest.param(
        b'{"username": "ada", "password": "12345678", "admin": "Secret"}',
        "admin: there is no such field.",
        id="unknown field",
    ),
    pytest.param(
        b'{"username": "ada", "password": "12345678", "%s": 1}' % (b"x" * 1000),
        "x" * 64 + ": there is no such field.",
        id="long unknown field",
    ),
]


@pytest.mark.parametrize(("body", "message"), BAD_BODIES)
async def test_a_bad_body_is_told_by_its_field_and_never_by_its_value(client, body, message):
    response = await client.post("/auth/register", content=body, headers=JSON)

    expected = {"error": {"code": "invalid_body", "message": message, "retryable": False}}
    assert (422, expected) == (response.status_code, response.json())
    assert "Secret" not in response.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_must_be_sent_as_json_so_that_a_form_of_another_page_cannot(client, content_type):
    body = b'{"username": "ada", "password": "12345678"}'

    response = await client.post("/auth/register", content=body, headers={"content-type": content_type})

    assert (422, "invalid_body") == (response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize(
    "path", ["/", "/auth", "/auth/", "/auth/nothing", "/auth/login/", "/auth/web/nothing.js"]
)
async def test_an_unknown_path_is_not_found(client, path):
    response = await client.get(path)

    expected = {"error": {"code": "not_found", "message": "There is no such thing.", "retryable": False}}
    assert (404, expected) == (response.status_code, response.json())


async def test_another_method_is_not_allowed_and_the_right_one_is_named(client):
    response = await client.get("/auth/login")

    expected = {
        "error": {"code": "not_found", "message": "There is no such method here.", "retryable": False}
    }
    assert (405, expected, "POST") == (response.status_code, response.json(), response.headers["allow"])


async def ask(application):
    """Return the answer of an ASGI application behind a guard."""
    transport = httpx.ASGITransport(Guard(application))
    async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
        return await client.get("/path")


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (Forbidden("Not here."), 403, "forbidden", False),
        (Unavailable("Not now."), 503, "unavailable", True),
        (UsernameTaken("Not this."), 409, "invalid_body", False),
    ],
)
async def test_an_error_of_ours_is_answered_as_it_says(log_events, error, status, code, retryable):
    async def refuse(*_):
        raise error

    response = await ask(refuse)

    expected = {"error": {"code": code, "message": error.message, "retryable": retryable}}
    assert (status, expected, []) == (response.status_code, response.json(), log_events)


async def test_the_unexpected_is_internal_for_the_client_and_a_line_in_the_log(log_events):
    async def fail(*_):
        raise ValueError("a detail for the log only")

    response = await ask(fail)

    message = "Something went wrong on our side."
    expected = {"error": {"code": "internal", "message": message, "retryable": False}}
    assert (500, expected) == (response.status_code, response.json())
    logged = {
        "event": "request failed",
        "method": "GET",
        "path": "/path",
        "exc_info": True,
        "log_level": "error",
    }
    assert log_events == [logged]


async def test_an_answer_that_has_begun_is_not_begun_again(log_events):
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def fail(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    await Guard(fail)({"type": "http", "method": "GET", "path": "/"}, None, send)

    assert sent == ["http.response.start"]
    assert len(log_events) == 1
