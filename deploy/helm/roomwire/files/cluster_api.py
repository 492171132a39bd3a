"""Calls the cluster's API from a pod, with the token and the CA certificate that Kubernetes mounts."""

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
    """Call the API about the Secrets of the pod's own namespace, and return the answer.

    Args:
        method: The HTTP method.
        path: The path after `…/secrets`.
        body: The body, which is sent as JSON. Default: none.
        kind: The content type of the body.

    Raises:
        OSError: The API server cannot be reached, or refuses (`urllib.error.HTTPError`).

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
    """Repeat an action until it succeeds, and print its result: rights and network rules take effect after a moment.

    Raises:
        SystemExit: The action failed `ATTEMPTS` times, a second apart.

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
