"""Every failure of this API has the one shape, and nothing of what the client sent."""

import pytest

from roomwire.errors import InvalidBody, NotFound
from roomwire.serving.web.framework import MethodNotAllowed

JSON = {"content-type": "application/json"}
BAD_BODIES = [
    pytest.param(b"", "body: this is required.", id="none"),
    pytest.param(b"{", "body: this is not JSON.", id="half an object"),
    pytest.param(b"[]", "body: this must be a JSON object, sent as application/json.", id="an array"),
    pytest.param(b'"Secret12"', "body: this must be a JSON object, sent as application/json.", id="a string"),
    pytest.param(b"null", "body: this must be a JSON object, sent as application/json.", id="null"),
    pytest.param(b"[" * 10_000, InvalidBody.default_message, id="too deep"),
    pytest.param(b"\xff", InvalidBody.default_message, id="no UTF-8"),
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
        "password: this is not valid text.",
        id="half a pair",
    ),
    pytest.param(
        b'{"username": "ada", "password": "12345678", "admin": "Secret"}',
        "admin: this field is unknown.",
        id="unknown field",
    ),
    pytest.param(
        b'{"username": "ada", "password": "12345678", "%s": 1}' % (b"x" * 1000),
        "x" * 64 + ": this field is unknown.",
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

    assert (404, {"error": NotFound().details()}) == (response.status_code, response.json())


async def test_another_method_is_not_allowed_and_the_right_one_is_named(client):
    response = await client.get("/auth/login")

    assert (405, {"error": MethodNotAllowed().details()}) == (response.status_code, response.json())
    assert "POST" == response.headers["allow"]
