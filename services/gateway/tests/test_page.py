"""The page: its files and its headers."""

import re

import httpx
import pytest

from roomwire.errors import ConfigurationError
from roomwire_gateway import page
from roomwire_gateway.page import CLIENT, HEADERS, page_app


def browser(*, enabled=True):
    return httpx.AsyncClient(transport=httpx.ASGITransport(page_app(enabled=enabled)), base_url="http://chat")


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A folder of the page's files, the client library among them."""
    for name in ("index.html", "icon.svg", CLIENT):
        (tmp_path / name).write_text(f"<{name}>")
    monkeypatch.setattr(page, "WEB", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/", "text/html"),
        ("/favicon.ico", "image/svg+xml"),
        (f"/web/{CLIENT}", "text/javascript"),
    ],
)
@pytest.mark.usefixtures("web")
async def test_the_pages_files_are_served_with_their_types(path, type_):
    async with browser() as http:
        answer = await http.get(path)

        assert (200, type_) == (answer.status_code, answer.headers["content-type"].partition(";")[0])


@pytest.mark.usefixtures("web")
async def test_the_page_is_asked_for_anew_each_time():
    async with browser() as http:
        assert "no-cache" == (await http.get("/")).headers["cache-control"]


ANSWERS = [
    pytest.param("GET", "/", 200, id="the page"),
    pytest.param("HEAD", "/", 200, id="its headers"),
    pytest.param("GET", f"/web/{CLIENT}", 200, id="a file"),
    pytest.param("GET", "/nowhere", 404, id="nothing"),
    pytest.param("GET", "/web/nowhere.js", 404, id="no such file"),
    pytest.param("GET", "/web/", 404, id="a folder"),
    pytest.param("GET", "/web/%2e%2e/secret", 404, id="a file outside"),
    pytest.param("POST", "/", 405, id="another method"),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_every_answer_carries_the_headers(web, method, path, status):
    (web.parent / "secret").write_text("secret")
    async with browser() as http:
        answer = await http.request(method, path)

        assert status == answer.status_code
        assert HEADERS == {name: answer.headers.get(name) for name in HEADERS}
        assert "secret" not in answer.text


async def test_without_the_page_every_path_is_nothing_with_the_headers():
    async with browser(enabled=False) as http:
        for path in ("/", "/web/app.js", "/favicon.ico"):
            answer = await http.get(path)
            assert 404 == answer.status_code
            assert HEADERS == {name: answer.headers.get(name) for name in HEADERS}


def test_a_page_without_its_client_library_is_a_sentence_that_says_what_to_do(web):
    (web / CLIENT).unlink()
    with pytest.raises(ConfigurationError, match=r"make install.*ROOMWIRE_PAGE=false"):
        page_app(enabled=True)
    page_app(enabled=False)


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline():
    policy = HEADERS["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|\*|https?:|data:", policy)


def test_the_page_itself_needs_nothing_that_the_policy_forbids():
    html = (page.WEB / "index.html").read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son[a-z]+=", html)
    for link in re.findall(r"""(?:src|href)=["']([^"'#]+)["']""", html):
        assert not re.match(r"(?:https?:)?//", link)


def test_each_file_that_the_page_names_is_there():
    html = (page.WEB / "index.html").read_text()
    named = set(re.findall(r"""(?:src|href)=["']/?web/([^"'#]+)["']""", html))
    for script in page.WEB.glob("*.js"):
        if script.name != CLIENT:
            named |= set(re.findall(r"""from\s+["']\./([^"']+)["']""", script.read_text()))

    assert len(named) > 3
    assert set() == {name for name in named - {CLIENT} if not (page.WEB / name).exists()}
