"""What an OpenAPI document promises, held against a running service by schemathesis.

Its command, not its pytest plugin: the command also goes from operation to operation as the document links them, and
depends on no version of pytest.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path

EXAMPLES = 25
TIME_S = 100.0


async def broken_promises(url: str, folder: Path, *, headers: Mapping[str, str] | None = None) -> str:
    """Ask a service what its document promises, and much that it does not; the same every time.

    Args:
        url: Where the document is: `http://127.0.0.1:8001/auth/openapi.json`.
        folder: Where it may write.
        headers: Sent with every request, such as a token.

    Returns:
        What did not hold, with a command that shows it; empty if all did.

    """
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", url),
        *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
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
