"""The script of `helm test`: clients connect by each transport and reach two gateways, and one loses its connection and recovers.

It works with every application, because it uses no event of an application. Then it runs the application's own checks: the command in
`CHECKS`, or the chat's if gateways serve the chat.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deployed import (
    API_URL,
    AUTH_MODE,
    AUTH_URL,
    TRANSPORTS,
    Client,
    Refused,
    prove_recovery,
    publish,
    published_keys,
    repeat,
    token,
    two_clients,
)

_HERE: Final = Path(__file__).parent
_CHAT: Final = "roomwire_gateway"


def is_chat() -> bool:
    """Return whether gateways serve the chat. This script runs in their image and gets their ROOMWIRE_APP."""
    named = os.environ.get("ROOMWIRE_APP", "")
    return named.startswith(f"{_CHAT}.") if named else importlib.util.find_spec(_CHAT) is not None


def go_through(stack: contextlib.ExitStack) -> None:
    """Test the platform step by step; the first step that fails ends the test with a sentence."""
    if AUTH_URL:
        print(f"auth: publishes {published_keys()} keys", flush=True)
    access = token()
    print("token: present" if access else "token: none", flush=True)
    if AUTH_MODE == "required":
        _prove_refusal(stack)
        if not access:
            print(
                "clients: not tested, because there is no token for them; test.extraEnv can set TOKEN",
                flush=True,
            )
            return
    for transport in TRANSPORTS:
        print(f"{transport}: connected to {Client(stack, access, transport=transport).gateway}", flush=True)
    first, other = two_clients(stack, access)
    # The chat names its rooms itself, so the chat's own checks publish to one.
    if not API_URL or is_chat():
        prove_recovery(stack, access, other)
        return
    try:
        publish(access, first.sid, "helm-test", "first")
    except Refused as error:
        print(f"api: not tested, because the token is refused: {error}", flush=True)
        prove_recovery(stack, access, other)
    else:
        first.until("helm-test")
        prove_recovery(stack, access, other, lambda text: publish(access, other.sid, "helm-test", text))


def _prove_refusal(stack: contextlib.ExitStack) -> None:
    try:
        Client(stack, "")
    except Refused as error:
        if error.code != "unauthenticated":
            raise
        print("without a token: refused", flush=True)
    else:
        sys.exit("a client without a token was admitted, although a token is required")


def own_checks() -> Sequence[str]:
    """Return the command of the application's own checks, or an empty one if it has none."""
    if command := json.loads(os.environ.get("CHECKS", "[]")):
        return [str(word) for word in command]
    return [sys.executable, str(_HERE / "chat_checks.py")] if is_chat() else []


def main() -> None:
    """Test the platform, then run the application's own checks."""
    repeat(go_through)
    command = own_checks()
    print(f"own checks: {' '.join(command) or 'none'}", flush=True)
    if not command:
        return
    path = os.pathsep.join(filter(None, (str(_HERE), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False)
    if done.returncode:
        sys.exit(f"own checks: failed, {' '.join(command)} ended with {done.returncode}")


if __name__ == "__main__":
    main()
