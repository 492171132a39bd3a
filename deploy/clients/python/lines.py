"""The format that both Python clients share: JSON lines in and out, with bytes as `{"base64": …}`."""

import base64
import json
import sys
from typing import Any


def read(line: str) -> dict[str, Any]:
    """Return a request."""

    def unpacked(value: dict[str, Any]) -> Any:
        return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else value

    request: dict[str, Any] = json.loads(line, object_hook=unpacked)
    return request


def write(**line: Any) -> None:
    """Print an answer or an event."""

    def packed(value: Any) -> Any:
        return {"base64": base64.b64encode(value).decode()}

    sys.stdout.write(json.dumps(line, default=packed) + "\n")
    sys.stdout.flush()
