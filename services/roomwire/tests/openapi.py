"""What an OpenAPI document promises, held against a running service by schemathesis.

Its command, not its pytest plugin: the command also goes from operation to operation as the document links them, and
depends on no version of pytest. Each test has two forms (`FORMS`): a few examples of each operation, and with `make fuzz` many.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

FEW = 3
FORMS = pytest.mark.parametrize(
    "examples", [pytest.param(FEW, id="few"), pytest.param(15, id="many", marks=pytest.mark.fuzz)]
)
TIME_S = 500.0
"""How long it may take at most: it takes seconds, on a slow machine minutes. Give the test `TEST_TIME_S`."""
TEST_TIME_S = 600


async def broken_promises(
    url: str, folder: Path, *, examples: int, headers: Mapping[str, str] | None = None, settings: str = ""
) -> str:
    """Ask a service what its document promises, and much that it does not; the same every time.

    Args:
        url: Where the document is: `http://127.0.0.1:8001/auth/openapi.json`.
        folder: Where it may write.
        examples: How many to generate for each operation.
        headers: Sent with every request, such as a token.
        settings: schemathesis' own, in TOML: where an operation has a rule that a document cannot express.

    Returns:
        What did not hold, with a command that shows it; empty if all did.

    """
    (folder / "schemathesis.toml").write_text(settings)
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", url),
        *("--max-examples", str(examples), "--generation-deterministic"),
        *("--suppress-health-check", "all", "--continue-on-failure"),
        *("--checks", "all", "--warnings", "off", "--no-color"),
        *(part for name, value in (headers or {}).items() for part in ("--header", f"{name}: {value}")),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(TIME_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    report = output.decode()
    # Where there is nothing to test, nothing is found.
    return "" if process.returncode == 0 and re.search(r"Tested: [1-9]", report) else report
