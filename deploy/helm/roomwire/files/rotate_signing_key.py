"""Adds the next signing key to the Secret that the auth services read, and forgets those whose tokens have expired.

Run by a CronJob that may read and change this one Secret. The next key is published for a while before it signs, and the
old one until its tokens have expired (`roomwire_auth.keys.keyring`): no token is invalid in between. While a next key waits, another
run changes nothing.
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
    """Rotate the keys of a Secret; returns what they are now. Raises `OSError` if the API server says no."""
    secret = ask("GET", f"/{name}")
    now = time.time()
    text = base64.b64decode(secret["data"][_FILE]).decode()
    ring = Keyring.parse(text).rotated(now, lead_s=lead_s)
    if ring.dump() != text:
        # Refused with 409, and read again, if somebody else has changed it meanwhile.
        version = {"resourceVersion": secret["metadata"]["resourceVersion"]}
        change = {"metadata": version, "stringData": {_FILE: ring.dump()}}
        ask("PATCH", f"/{name}", change, kind="application/merge-patch+json")
    return "; ".join(describe(ring, now))


def main() -> None:
    """Rotate them; what cannot be helped by trying again ends it with a sentence."""
    name = os.environ["SECRET_NAME"]
    try:
        lead_s = Settings.load().key_lead_s
        until_answered(name, lambda: rotate(name, lead_s))
    except ConfigurationError as error:
        sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
