"""Creates the missing Secrets, and never reads or changes an existing one.

A Job runs it whose only right is to create Secrets: for an existing Secret the API answers 409, and nothing changes.
"""

import json
import os
import secrets
import urllib.error
from http import HTTPStatus

from cluster_api import ask, until_answered

from roomwire.identity.tokens import SigningKey


def contents(kind: str, redis_host: str) -> dict[str, str]:
    """Return the content of a new Secret of a kind."""
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
    """Create a Secret, and return the outcome. Raises `OSError` if the API server refuses."""
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
            return "exists already"
        raise
    return "created"


def main() -> None:
    """Create the Secrets one after another."""
    prefix = os.environ["SECRET_PREFIX"]
    for kind in os.environ["SECRET_KINDS"].split(","):
        name = f"{prefix}-{kind}"
        data = contents(kind, f"{prefix}-redis")
        until_answered(name, lambda name=name, data=data: create(name, data))


if __name__ == "__main__":
    main()
