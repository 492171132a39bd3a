"""Makes the secrets that are missing, and never reads or changes one that is there.

Run by a Job whose one right is to create Secrets: what exists answers 409 and stays as it is.
"""

import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

from roomwire.tokens import SigningKey

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ATTEMPTS = 30


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
    namespace = (ACCOUNT / "namespace").read_text(encoding="utf-8")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": json.loads(os.environ["SECRET_LABELS"])},
        "type": "Opaque",
        "stringData": data,
    }
    request = urllib.request.Request(
        f"https://{address}/api/v1/namespaces/{namespace}/secrets",
        data=json.dumps(secret).encode(),
        headers={
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text(encoding='utf-8')}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(
            request, timeout=10, context=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        ):
            return "made"
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.CONFLICT:
            return "there already"
        raise


def main() -> None:
    """Make each in turn."""
    prefix = os.environ["SECRET_PREFIX"]
    for kind in os.environ["SECRET_KINDS"].split(","):
        name = f"{prefix}-{kind}"
        data = contents(kind, f"{prefix}-redis")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                print(f"{name}: {create(name, data)}", flush=True)
                break
            except OSError as error:
                # Rights and network rules take a moment to be known everywhere.
                if attempt == ATTEMPTS:
                    sys.exit(f"{name}: {error}")
                time.sleep(1)


if __name__ == "__main__":
    main()
