"""What tests of measurements need of the machine."""

import os
from pathlib import Path

import pytest
from needs import need

PTRACE_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


@pytest.fixture
def py_spy_may_look() -> None:
    """py-spy may look into another process here."""
    is_free = not PTRACE_SCOPE.exists() or PTRACE_SCOPE.read_text().strip() == "0"
    need(is_free or os.geteuid() == 0, "root or kernel.yama.ptrace_scope=0, for py-spy")
