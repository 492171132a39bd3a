"""A plugin of pytest that leaves out the tests that drive a browser, where no chromedriver is installed."""

import pytest

FIXTURE = "screen"
"""The fixture of those tests, in NiceGUI's suite."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests without the fixture."""
    left_out = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
