"""The site builds without a warning, has the API that is exported, and a link to nothing fails it."""

import pytest
import website
from documents import DOCUMENTS, ROOT
from needs import need


@pytest.fixture(scope="module", autouse=True)
def generator(starts_servers):
    need(website.ZENSICAL.exists(), "the generator of sites, which `make site` installs")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documentation") / "site"
    assert 0 == website.main(["--into", str(folder)])
    return folder


def test_each_document_has_its_page(site):
    pages = {document.relative_to(ROOT).with_suffix("") for document in DOCUMENTS}
    places = {(page.parent if page.name in {"index", "README"} else page) / "index.html" for page in pages}

    assert set() == {place for place in places if not (site / place).exists()}


def test_the_reference_has_each_name_that_is_exported(site):
    text = "".join(page.read_text() for page in (site / "reference").rglob("*.html"))

    assert website.exported()
    assert set() == {name for name in website.exported() if f'id="{name}"' not in text}


def test_the_site_can_be_searched(site):
    assert "ROOMWIRE_MAX_CLAIMS" in (site / "search.json").read_text()


@pytest.mark.parametrize("link", ["gone.md", "running.md#nothing"])
def test_a_link_to_nothing_fails_the_build(tmp_path, link, capfd):
    website.lay_out(tmp_path)
    with (tmp_path / "pages" / "docs" / "chat.md").open("a") as page:
        page.write(f"\n[lost]({link})\n")

    assert 0 != website.build(tmp_path, zensical=website.ZENSICAL)
    assert "chat.md" in capfd.readouterr().out
