"""Adds the next signing key to the Secret that the auth services read, and removes keys whose tokens have expired.

A CronJob runs it that may read and change only this Secret. The next key is published for a while before it signs, and the
old key until its tokens have expired (`roomwire_auth.keys.keyring`), so that no valid token is refused. While a next key waits,
another run changes nothing.
"""

import base64
import os
import sys
import time
from typing import Final

from cluster_api import ask, until_answered

from roomwire.errors import ConfigurationError
from roomwire_auth.commands.rotate_keys import describe
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.settings import Settings

_FILE: Final = "signing-key.pem"


def rotate(name: str, lead_s: int) -> str:
    """Rotate the keys of a Secret, and return a description of them. Raises `OSError` if the API server refuses."""
    secret = ask("GET", f"/{name}")
    now = time.time()
    text = base64.b64decode(secret["data"][_FILE]).decode()
    ring = Keyring.parse(text).rotated(now, lead_s=lead_s)
    if ring.dump() != text:
        # If the Secret was changed meanwhile, the API answers 409, and the rotation is repeated.
        version = {"resourceVersion": secret["metadata"]["resourceVersion"]}
        change = {"metadata": version, "stringData": {_FILE: ring.dump()}}
        ask("PATCH", f"/{name}", change, kind="application/merge-patch+json")
    return "; ".join(describe(ring, now))


def main() -> None:
    """Rotate the keys. An error that another attempt cannot solve ends the program with a sentence."""
    name = os.environ["SECRET_NAME"]
    try:
        lead_s = Settings.load().key_lead_s
        until_answered(name, lambda: rotate(name, lead_s))
    except ConfigurationError as error:
        sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
