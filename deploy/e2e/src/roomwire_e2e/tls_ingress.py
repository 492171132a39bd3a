"""TLS ends at the ingress by `ingress.tls.secretName` alone, and a browser and python-socketio's client chat.

The clients are those of the test that does the same without a cluster; here they connect through the cluster's ingress.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from roomwire_e2e.cluster import TOP, run
from roomwire_e2e.release import Release
from roomwire_loadtest.faults.stage import Skipped
from roomwire_local.certificates import Authority

_SECRET: Final = "ingress-certificate"  # noqa: S105 - a name
_NAMES: Final = ("localhost", "chat.example", "127.0.0.1")
_LOCAL_PORT: Final = 18443
_TEST: Final = "deploy/local/tests/test_tls_ingress.py"
_TEST_S: Final = 300.0


async def try_tls_at_ingress(release: Release) -> list[str]:
    """Give the ingress a certificate, and let the clients of `deploy/local/tests` chat through it.

    Returns what was shown.

    Raises:
        ClusterError: A client fails.
        Skipped: The TLS port of the ingress is not known.

    """
    port = release.cluster.env.get("E2E_TLS_PORT") or (_LOCAL_PORT if release.cluster.tool else None)
    if port is None:
        raise Skipped("set E2E_TLS_PORT to the port on this machine at which the ingress speaks TLS")
    authority = Authority()
    chain, key = authority.issue(*_NAMES)
    await release.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": _SECRET},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": chain, "tls.key": key},
        }
    )
    await release.upgrade({"ingress.tls.secretName": _SECRET})
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ca.crt"
            await asyncio.to_thread(file.write_text, authority.pem, encoding="utf-8")
            env = {**release.cluster.env, "TLS_INGRESS_PORT": str(port), "TLS_INGRESS_AUTHORITY": str(file)}
            said = await run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TOP / _TEST)],
                env={**env, "CI": "true"},
                timeout_s=_TEST_S,
            )
    finally:
        await release.upgrade()
        await release.until_served()
    return [f"{urlsplit(f'https://localhost:{port}').geturl()}: {said.strip().splitlines()[-1]}"]
