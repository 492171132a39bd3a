"""Both services speak TLS for a while, by certificates that nobody knows but whom the chart tells of them."""

import contextlib
from collections.abc import AsyncIterator

from roomwire_e2e.images import SERVICES
from roomwire_e2e.release import NAME, Release
from roomwire_local.certificates import Authority


@contextlib.asynccontextmanager
async def spoken(release: Release) -> AsyncIterator[list[str]]:
    """Have gateways and auth speak TLS while the context lasts, each by an authority of its own; yields what shows it.

    The ingress does not follow: it would have to be told of the authorities, each in its own way.
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
