"""Makes the secrets that are missing, and never reads or changes one that is there.

Run by a Job whose one right is to create Secrets: what exists answers 409 and stays as it is.
"""

import json
import os
import secrets
import urllib.error
from http import HTTPStatus

from cluster_api import ask, until_answered

from roomwire.identity.tokens import SigningKey


def contents(kind: str, redis_host: str) -> dict[str, str]:
    """Return what a new Secret of a kind holds."""
    if kind == "signing-key":
        return {"signing-key.pem": SigningKey.generate().to_pem()}
    if kind == "relay":
        return {"secret": secrets.token_urlsafe(32)}
    passwords = {user: secrets.token_urlsafe(32) for user in ("gateway", "auth")}
    return {f"{user}-password": password for user, password in passwords.items()} | {
        f"{user}-url": f"redis://{user}:{password}@{redis_host}:6379/0"
        for user, password in passwords.items()
    }


def create(name: str, data: dict[str, str]) -> str:
    """Create a Secret; returns what became of it. Raises `OSError` if the API server says no."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": json.loads(os.environ["SECRET_LABELS"])},
        "type": "Opaque",
        "stringData": data,
    }
    try:
        ask("POST", "", secret)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.CONFLICT:
            return "there already"
        raise
    return "made"


def main() -> None:
    """Make each in turn."""
    prefix = os.environ["SECRET_PREFIX"]
    for kind in os.environ["SECRET_KINDS"].split(","):
        name = f"{prefix}-{kind}"
        data = contents(kind, f"{prefix}-redis")
        until_answered(name, lambda name=name, data=data: create(name, data))


if __name__ == "__main__":
    main()
