"""Headers, limits and counts of every answer."""

import pytest

from roomwire.errors import BodyTooLarge
from roomwire.serving.web.middleware import HEADERS
from roomwire_auth.app import MAX_BODY_BYTES

JSON = {"content-type": "application/json"}


async def pieces(size):
    for _ in range(size // 1_000):
        yield b" " * 1_000
    yield b" " * (size % 1_000)


@pytest.mark.parametrize("path", ["/auth/login", "/nothing", "/docs", "/auth/openapi.json"])
async def test_every_answer_has_the_headers(client, path):
    response = await client.get(path)

    assert HEADERS == {name: response.headers[name] for name in HEADERS}


ANSWERS = [
    pytest.param("GET", "/auth/docs", 200, id="the page"),
    pytest.param("HEAD", "/auth/docs", 200, id="its headers"),
    pytest.param("GET", "/auth/web/docs.js", 200, id="a script"),
    pytest.param("GET", "/auth/web/swagger-ui.css", 200, id="a style"),
    pytest.param("GET", "/auth/web/nowhere.js", 404, id="no such file"),
    pytest.param("GET", "/auth/web/%2e%2e/app.py", 404, id="a file outside"),
    pytest.param("GET", "/docs", 307, id="a redirect"),
    pytest.param("GET", "/auth/openapi.json", 200, id="the document"),
    pytest.param("GET", "/auth/.well-known/jwks.json", 200, id="the keys"),
    pytest.param("POST", "/auth/docs", 405, id="another method"),
    pytest.param("POST", "/auth/guest", 200, id="tokens"),
    pytest.param("GET", "/", 404, id="nothing"),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_no_answer_may_be_framed_sniffed_or_tell_where_one_came_from(client, method, path, status):
    answer = await client.request(method, path)
    policy = answer.headers["content-security-policy"]

    assert status == answer.status_code
    assert ("nosniff", "no-referrer") == tuple(
        answer.headers[name] for name in ("x-content-type-options", "referrer-policy")
    )
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    # The page's styles are Swagger UI's; no script runs but from here.
    assert "script-src 'self'" in policy or "script-src" not in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("content", [lambda size: b" " * size, pieces], ids=["with a length", "chunked"])
@pytest.mark.parametrize(("over", "status"), [(0, 422), (1, 413)])
async def test_a_body_has_a_limit(client, content, over, status):
    response = await client.post("/auth/login", content=content(MAX_BODY_BYTES + over), headers=JSON)

    assert status == response.status_code


async def test_a_body_over_the_limit_is_too_large(client):
    response = await client.post("/auth/login", content=b" " * (MAX_BODY_BYTES + 1), headers=JSON)

    assert response.json() == {"error": BodyTooLarge(MAX_BODY_BYTES).details()}


async def test_a_connection_with_a_body_over_the_limit_is_closed(client):
    response = await client.post("/auth/login", content=b" " * (MAX_BODY_BYTES + 1), headers=JSON)

    assert response.headers["connection"] == "close"


async def test_an_announced_length_over_the_limit_is_refused_before_it_is_read(client):
    async def unread():
        raise AssertionError("the body was read")
        yield b""

    headers = JSON | {"content-length": str(MAX_BODY_BYTES + 1)}
    response = await client.post("/auth/login", content=unread(), headers=headers)

    assert response.status_code == 413


async def test_a_lower_limit_of_the_settings_holds_here_too(open_client, settings):
    client = open_client(settings.model_copy(update={"max_body_bytes": 1_000}))

    response = await client.post("/auth/login", content=b" " * 1_001, headers=JSON)

    assert response.status_code == 413


async def test_answers_are_counted_by_route_template_and_status(client):
    await client.post("/auth/guest")
    await client.post("/auth/guest")
    await client.post("/auth/login", json={})
    await client.get("/auth/anything/else")

    expected = {("/auth/guest", "200"): 2, ("/auth/login", "422"): 1, ("other", "404"): 1}
    counts = {
        (route, status): client.metric("roomwire_auth_requests_total", {"route": route, "status": status})
        for route, status in expected
    }
    assert expected == counts


async def preflight(client, origin):
    headers = {"origin": origin, "access-control-request-method": "POST"}
    headers["access-control-request-headers"] = "content-type"
    return await client.options("/auth/login", headers=headers)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), "https://chat.example.org", None),
        (("*",), "https://chat.example.org", "*"),
        (("https://chat.example.org",), "https://chat.example.org", "https://chat.example.org"),
        (("https://chat.example.org",), "https://evil.example.org", None),
        (("https://chat.example.org",), "https://CHAT.example.org:443", "https://CHAT.example.org:443"),
        (("https://chat.example.org",), "http://chat.example.org", None),
        (("https://chat.example.org",), "null", None),
        (("https://chat.example.org",), "", None),
    ],
)
async def test_pages_of_the_allowed_origins_may_ask(open_client, settings, origins, origin, allowed):
    client = open_client(settings.model_copy(update={"cors_origins": origins}))

    asked = await preflight(client, origin)
    answered = await client.post("/auth/login", json={}, headers={"origin": origin})

    assert [allowed] * 2 == [r.headers.get("access-control-allow-origin") for r in (asked, answered)]
    assert "access-control-allow-credentials" not in answered.headers


async def test_what_depends_on_the_page_says_so_to_caches(open_client, settings):
    client = open_client(settings.model_copy(update={"cors_origins": ("https://chat.example.org",)}))
    for origin in ("https://chat.example.org", "https://evil.example.org", None):
        headers = {"origin": origin} if origin else {}
        answers = [
            await client.post("/auth/login", json={}, headers=headers),
            await client.get("/auth/anything/else", headers=headers),
            await client.get("/auth/docs", headers=headers),
        ]
        assert [True] * 3 == ["Origin" in answer.headers.get("vary", "") for answer in answers]
