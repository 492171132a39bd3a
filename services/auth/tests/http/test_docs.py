"""The API's page and its files."""

import pytest

from roomwire.errors import ConfigurationError
from roomwire_auth.http import docs


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/auth/docs", "text/html; charset=utf-8"),
        ("/auth/web/docs.js", "text/javascript; charset=utf-8"),
        ("/auth/web/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("/auth/web/swagger-ui.css", "text/css; charset=utf-8"),
        ("/auth/openapi.json", "application/json"),
    ],
)
async def test_the_page_and_all_it_needs_are_served_from_here(client, path, content_type):
    response = await client.get(path)

    assert (200, content_type) == (response.status_code, response.headers["content-type"])


async def test_docs_leads_to_the_page(client):
    response = await client.get("/docs")

    assert (307, "/auth/docs") == (response.status_code, response.headers["location"])


async def test_the_page_runs_no_script_and_has_no_style_but_from_here(client):
    response = await client.get("/auth/docs")

    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";")
    )
    assert ("'none'", "'self'", "'self'", "'none'") == (
        policy["default-src"],
        policy["script-src"],
        policy["style-src"],
        policy["frame-ancestors"],
    )
    assert "://" not in response.text


async def test_an_unchanged_file_is_not_sent_again(client):
    first = await client.get("/auth/web/docs.js")

    again = await client.get("/auth/web/docs.js", headers={"if-none-match": first.headers["etag"]})

    assert (304, "no-cache") == (again.status_code, again.headers["cache-control"])


async def test_nothing_outside_the_folder_is_served(client):
    response = await client.get("/auth/web/%2e%2e/app.py")

    assert response.status_code == 404


async def test_the_page_can_be_switched_off_and_the_schema_stays(open_client, settings):
    client = open_client(settings.model_copy(update={"docs": False}))

    paths = ["/auth/docs", "/docs", "/auth/web/docs.js", "/auth/openapi.json"]
    assert [404, 404, 404, 200] == [(await client.get(path)).status_code for path in paths]


def test_a_page_that_was_not_installed_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(docs, "WEB", tmp_path)

    with pytest.raises(ConfigurationError, match="make install"):
        docs.docs_routes()
