"""The chart renders byte for byte what was committed, and the name of its file locates each object."""

import difflib
import re

import pytest
import rendered
import yaml
from chart import CHART, SIZES, template

RENEW = "The chart's rendering has changed. If that is intended, run `make render` and commit the result."


def kept():
    return {path: path.read_text(encoding="utf-8") for path in rendered.FOLDER.rglob("*.txt")}


def difference(before, after):
    """Return the difference between files, as a patch."""
    return "\n".join(
        line
        for path in sorted({*before, *after})
        for line in difflib.unified_diff(
            before.get(path, "").splitlines(),
            after.get(path, "").splitlines(),
            f"kept/{path.relative_to(rendered.FOLDER)}",
            f"rendered/{path.relative_to(rendered.FOLDER)}",
            lineterm="",
        )
    )


def test_the_chart_renders_byte_for_byte_what_is_kept():
    before, after = kept(), rendered.files()

    if before != after:
        pytest.fail(f"{RENEW}\n{difference(before, after)}")


@pytest.mark.parametrize("size", SIZES)
def test_an_object_stands_in_the_file_that_is_named_for_its_component_and_its_kind(size):
    for source, text in rendered.sources(template(SIZES[size])):
        (document,) = yaml.safe_load_all(text)
        component = document["metadata"]["labels"]["app.kubernetes.io/component"]
        found = re.fullmatch(r"templates/([a-z]+)/([a-z]+)(-[a-z]+)?\.yaml", source)

        assert found, source
        folder, kind, _ = found.groups()
        # The load test's master is a component in the same folder as its workers.
        assert (folder, kind) == (component.removesuffix("-master"), document["kind"].lower()), source


def test_every_template_makes_an_object_for_some_size():
    made = {source for size in SIZES for source, _ in rendered.sources(template(SIZES[size]))}

    assert {str(path.relative_to(CHART)) for path in (CHART / "templates").rglob("*.yaml")} == made
