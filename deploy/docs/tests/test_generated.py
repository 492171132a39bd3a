"""What documents show of the code and of kept results is what these are now."""

import re

import generated
import pytest

from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings

MAX_README_BYTES = 10_000
NUMBERS = [
    (settings, name)
    for settings in (GatewaySettings, AuthSettings)
    for name, field in settings.model_json_schema()["properties"].items()
    if field.get("minimum") == 0
]


def test_the_page_of_settings_is_what_the_code_says():
    assert generated.settings_page() == generated.SETTINGS.read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize(
    "page", [generated.README, generated.VERIFICATION, generated.DROP_IN], ids=lambda page: page.name
)
def test_tables_are_what_the_reports_and_the_differential_tests_say(page):
    text = page.read_text(encoding="utf-8")

    assert "<!-- written: " in text
    assert generated.with_tables(text) == text, "run `make docs`"


def test_a_figure_that_was_typed_by_hand_is_found():
    text = generated.README.read_text(encoding="utf-8")
    row = re.search(r"^\| Rooms of 10, .*\| (40,000) \|$", text, re.MULTILINE)
    changed = text[: row.start(1)] + "41,000" + text[row.end(1) :]

    assert generated.with_tables(changed) == text


def test_each_setting_is_on_the_page_once_for_each_service_that_has_it():
    text = generated.settings_page()

    assert 2 == text.count("| `ROOMWIRE_PORT` |")
    assert 1 == text.count("| `ROOMWIRE_REDIS_URL` |")
    assert "| `ROOMWIRE_DRAIN_S` | `5.0` | seconds, 0 to 3,600 |" in text
    assert "| `ROOMWIRE_RELAY_SECRET` |  | secret |" in text


@pytest.mark.parametrize(("settings", "name"), NUMBERS)
def test_a_setting_that_may_be_zero_says_what_zero_does(settings, name):
    assert "`0`" in settings.model_fields[name].description


def test_the_readme_is_read_in_a_few_minutes():
    assert MAX_README_BYTES >= len(generated.README.read_bytes())


def test_the_readmes_benchmark_has_eight_rows():
    text = generated.README.read_text(encoding="utf-8")
    section = text.partition("\n## Benchmark\n")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)

    assert 8 == sum(len(table.splitlines()) - 2 for table in tables)
