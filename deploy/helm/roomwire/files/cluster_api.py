"""The cluster's API, as a pod asks it: by the token and the certificate that Kubernetes mounts for it."""

import json
import os
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ATTEMPTS: Final = 30
_TIMEOUT_S: Final = 10


def ask(
    method: str, path: str, body: Mapping[str, Any] | None = None, *, kind: str = "application/json"
) -> Any:
    """Ask about the Secrets of the pod's own namespace; returns the answer.

    Args:
        method: The HTTP method.
        path: What comes after `…/secrets`.
        body: What is sent, as JSON. Default: nothing.
        kind: Its content type, as a patch needs one of its own.

    Raises:
        OSError: The API server cannot be reached, or says no (`urllib.error.HTTPError`).

    """
    namespace = (ACCOUNT / "namespace").read_text(encoding="utf-8")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = urllib.request.Request(
        f"https://{address}/api/v1/namespaces/{namespace}/secrets{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text(encoding='utf-8')}",
            "Content-Type": kind,
        },
    )
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=context) as answer:
        return json.load(answer)


def until_answered(what: str, act: Callable[[], str]) -> None:
    """Do something until it succeeds, and print what came of it: rights and network rules take a moment to be known.

    Raises:
        SystemExit: It failed `ATTEMPTS` times, a second apart.

    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            print(f"{what}: {act()}", flush=True)
        except OSError as error:
            if attempt == ATTEMPTS:
                raise SystemExit(f"{what}: {error}") from None
            time.sleep(1)
        else:
            return
