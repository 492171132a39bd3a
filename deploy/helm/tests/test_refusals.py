"""Values that cannot work are refused, each with a sentence."""

import pytest
from chart import Refused, install

CASES = {
    "redis.enabled is false: name a Secret with the URLs": {"redis": {"enabled": False}},
    "auth.enabled is false: set tokens.discoveryUrl or tokens.jwksUrl": {"auth": {"enabled": False}},
    "name another identity provider: set auth.enabled to false": {
        "tokens": {"jwksUrl": "https://id.example.org"}
    },
    "tokens.discoveryUrl already leads to the keys": {
        "auth": {"enabled": False},
        "tokens": {"jwksUrl": "https://id.example.org", "discoveryUrl": "https://id.example.org"},
    },
    "gateway.admin.enabled: name a Secret": {"gateway": {"admin": {"enabled": True}}},
    "secrets.create is false: name a Secret in redis.existingSecret": {"secrets": {"create": False}},
    "secrets.create is false: name a Secret in auth.signingKey.existingSecret": {
        "secrets": {"create": False},
        "redis": {"existingSecret": "redis"},
    },
    "secrets.create is false: name a Secret in gateway.relay.existingSecret": {
        "secrets": {"create": False},
        "redis": {"existingSecret": "redis"},
        "auth": {"signingKey": {"existingSecret": "key"}},
        "gateway": {"relay": {"enabled": True}},
    },
    "gateway.image.repository is empty, and so is images.registry": {"images": {"registry": ""}},
    "auth.image.repository is empty, and so is images.registry": {
        "images": {"registry": ""},
        "gateway": {"image": {"repository": "mine/gateway"}},
    },
    "policy.file and policy.existingConfigMap both": {"policy": {"file": "x", "existingConfigMap": "y"}},
    "name the Gateway that serves it in httpRoute.parentRefs": {"httpRoute": {"enabled": True}},
    "httpRoute.enabled: a Gateway speaks TLS to pods only with a BackendTLSPolicy": {
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
        "gateway": {"tls": {"secretName": "gateway-certificate"}},
    },
    "leave auth.tls.secretName empty": {
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
        "auth": {"tls": {"secretName": "auth-certificate"}},
    },
    "redis.external.caSecret is for another Redis": {"redis": {"external": {"caSecret": "x"}}},
    "minReplicas is above maxReplicas": {"gateway": {"autoscaling": {"enabled": True, "minReplicas": 11}}},
    "there is nothing to scale by": {
        "gateway": {"autoscaling": {"enabled": True, "connections": 0, "cpuPercent": 0}}
    },
    "cpuPercent needs gateway.resources.requests.cpu": {
        "gateway": {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}
    },
    "gateway.rollout: with maxSurge and maxUnavailable both 0 no pod is ever replaced": {
        "gateway": {"rollout": {"maxSurge": 0}}
    },
    "auth.rollout: with maxSurge and maxUnavailable both 0": {
        "auth": {"rollout": {"maxSurge": "0%", "maxUnavailable": "0"}}
    },
    "corsOrigins: * must be the only entry": {"corsOrigins": ["*", "https://a.example"]},
    "gateway.settings.PORT: the chart sets ROOMWIRE_PORT itself": {"gateway": {"settings": {"PORT": "1"}}},
    "auth.settings.SIGNING_KEY: the chart sets": {"auth": {"settings": {"SIGNING_KEY": "x"}}},
    "gateway.settings.RELAY_SECRET: the chart sets": {"gateway": {"settings": {"RELAY_SECRET": "x"}}},
    "gateway.settings.REDIS_URL: the chart sets": {"gateway": {"settings": {"REDIS_URL": "redis://x"}}},
    "roomwire.py would hide the package of that name": {"gateway": {"files": {"roomwire.py": ""}}},
    "roomwire_gateway.py would hide": {"gateway": {"files": {"roomwire_gateway.py": ""}}},
    "the files have 262145 bytes, but at most 262144 are allowed": {
        "gateway": {"files": {"a.txt": "ä" * 131_000, "b.txt": "x" * 145}}
    },
    "the load test sends the events of the chat, but gateway.app is board:app": {
        "gateway": {"app": "board:app"},
        "loadTest": {"enabled": True, "url": "http://traefik.traefik"},
    },
    # the schema's
    "'../board.py' does not match pattern": {"gateway": {"files": {"../board.py": ""}}},
    "/gateway/files/board.py": {"gateway": {"files": {"board.py": {}}}},
    "additional properties 'replica' not allowed": {"gateway": {"replica": 3}},
    "additional properties 'tsl' not allowed": {"ingress": {"tsl": {}}},
    "/gateway/transports": {"gateway": {"transports": []}},
    "/tokens/algorithms": {"tokens": {"algorithms": ["HS256"]}},
    "/gateway/authMode": {"gateway": {"authMode": "maybe"}},
    "/gateway/image/digest": {"gateway": {"image": {"digest": "sha256:1"}}},
}


@pytest.mark.parametrize("sentence", CASES)
def test_values_that_cannot_work_are_refused(sentence):
    with pytest.raises(Refused) as raised:
        install(CASES[sentence])

    assert sentence in str(raised.value)
