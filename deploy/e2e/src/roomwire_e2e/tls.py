"""Both services use TLS for a while, with certificates of authorities that only the chart's values make known."""

import contextlib
from collections.abc import AsyncIterator

from roomwire_e2e.images import SERVICES
from roomwire_e2e.release import NAME, Release
from roomwire_local.certificates import Authority


@contextlib.asynccontextmanager
async def spoken(release: Release) -> AsyncIterator[list[str]]:
    """Switch the gateways and auth to TLS while the context lasts, each with its own authority; yields what shows it.

    The ingress keeps using plain HTTP, because each kind of ingress needs the authorities in its own way.
    """
    for service in SERVICES:
        authority = Authority()
        chain, key = authority.issue(f"{NAME}-roomwire-{service}")
        await release.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": _secret(service)},
                "type": "kubernetes.io/tls",
                "stringData": {"tls.crt": chain, "tls.key": key, "ca.crt": authority.pem},
            }
        )
    secrets = {f"{service}.tls.secretName": _secret(service) for service in SERVICES}
    await release.upgrade(secrets, waits=False)
    try:
        found = await release.cluster.get("services")
        yield [
            f"{one['metadata']['name']} is {port['name']} on {port['port']}"
            for one in found["items"]
            for port in one["spec"]["ports"]
            if port["name"] == "https"
        ]
    finally:
        await release.upgrade()
        await release.until_served()


def _secret(service: str) -> str:
    return f"{service}-certificate"
