"""Every failure has the one shape."""

import httpx
import pytest

from roomwire.errors import Forbidden, Internal, RateLimited, Unauthenticated, Unavailable
from roomwire.serving.web.failures import Guard, answer
from roomwire.serving.web.framework import MethodNotAllowed


async def ask(application):
    """Return the answer of an ASGI application behind a guard."""
    transport = httpx.ASGITransport(Guard(application))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.get("/path")


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (Forbidden("Not here."), 403, "forbidden", False),
        (Unavailable("Not now."), 503, "unavailable", True),
        (MethodNotAllowed("Not this."), 405, "not_found", False),
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

    assert (500, {"error": Internal().details()}) == (response.status_code, response.json())
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


def test_an_answer_says_how_to_prove_oneself_and_when_to_come_again():
    limited = RateLimited()
    limited.retry_after_s = 3

    headers = [answer(error).headers for error in (Unauthenticated(), limited, RateLimited())]

    assert ("Bearer", "3", None) == (
        headers[0]["www-authenticate"],
        headers[1]["retry-after"],
        headers[2].get("retry-after"),
    )
