"""What the chart renders is byte for byte what was committed."""

import difflib

import pytest
import rendered

RENEW = "The chart renders something else than what is kept. If that is meant: `make render`, and commit what it changes."


def kept():
    return {path: path.read_text(encoding="utf-8") for path in rendered.FOLDER.rglob("*.txt")}


def difference(before, after):
    """Return what differs between files, as a patch."""
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
