"""What a test needs of the machine: if it is missing, the test is skipped, or fails if `CI` is set.

No other code skips a test for what a machine lacks (`test_needs.py`), because CI would then pass silently without it.
"""

import os
from typing import Any

import pytest


def need(found: Any, what: str) -> None:
    """Skip the running test, or fail it if `CI` is set, unless the requirement was found.

    Args:
        found: A program's path, or any value that is true if the machine meets the requirement.
        what: The requirement, and how to meet it.

    """
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
