"""What a test needs of the machine: where it is missing the test is skipped, and fails with `CI` set.

Nothing else skips a test for what a machine lacks (`test_needs.py`): CI would pass without a word of what it left out.
"""

import os
from typing import Any

import pytest


def need(found: Any, what: str) -> None:
    """Skip the running test, or fail it with `CI` set, unless something was found.

    Args:
        found: A program's path, or anything that is true where the machine can do it.
        what: What is needed, and how to get it.

    """
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
