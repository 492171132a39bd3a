"""Another identity provider than the auth service: the settings of gateways."""

import pytest
from chart import install

from roomwire_gateway.settings import Settings

DISCOVERY_URL = "https://id.example.org/.well-known/openid-configuration"
JWKS_URL = "https://id.example.org/keys"
TOKENS = {
    "issuer": "https://id.example.org/",
    "audience": "chat",
    "algorithms": ["RS256", "ES256"],
    "types": ["JWT"],
    "claims": {"user": "oid", "roles": "/realm_access/roles"},
}


def told(**tokens):
    """Return a gateway's settings for tokens."""
    release = install({"auth": {"enabled": False}, "tokens": TOKENS | tokens})
    (container,) = release.one("Deployment", "chat-roomwire-gateway")["spec"]["template"]["spec"][
        "containers"
    ]
    return {
        entry["name"]: entry["value"]
        for entry in container["env"]
        if entry["name"].startswith("ROOMWIRE_AUTH_") and entry["name"] != "ROOMWIRE_AUTH_MODE"
    }


@pytest.mark.parametrize(
    ("where", "variable"),
    [("discoveryUrl", "ROOMWIRE_AUTH_DISCOVERY_URL"), ("jwksUrl", "ROOMWIRE_AUTH_JWKS_URL")],
)
def test_gateways_are_told_of_another_identity_provider_and_take_it(monkeypatch, where, variable):
    url = {"discoveryUrl": DISCOVERY_URL, "jwksUrl": JWKS_URL}[where]
    expected = {
        "ROOMWIRE_AUTH_ISSUER": "https://id.example.org/",
        "ROOMWIRE_AUTH_AUDIENCE": "chat",
        variable: url,
        "ROOMWIRE_AUTH_ALGORITHMS": "RS256,ES256",
        "ROOMWIRE_AUTH_TOKEN_TYPES": "JWT",
        "ROOMWIRE_AUTH_CLAIM_USER": "oid",
        "ROOMWIRE_AUTH_CLAIM_NAME": "name",
        "ROOMWIRE_AUTH_CLAIM_SESSION": "sid",
        "ROOMWIRE_AUTH_CLAIM_ROLES": "/realm_access/roles",
    }
    given = told(**{where: url})

    assert expected == given
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert (("RS256", "ES256"), ("JWT",)) == (settings.auth_algorithms, settings.auth_token_types)


def test_gateways_may_reach_it_and_the_auth_service_is_none():
    release = install({"auth": {"enabled": False}, "tokens": TOKENS | {"discoveryUrl": DISCOVERY_URL}})

    egress = release.one("NetworkPolicy", "chat-roomwire-gateway")["spec"]["egress"]
    assert {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]} in egress
    assert not any("auth" in name for name, _ in release.pods())
