"""Values of the chart that tests render: a few sizes that together render every line, and each option alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, Any]

SIZES: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "everything": {
        "gateway": {
            "api": {
                "enabled": True,
                "existingSecret": "keys",
                "from": [{"podSelector": {"matchLabels": {"app": "shop"}}}],
                "ingress": True,
            },
            "admin": {"enabled": True, "existingSecret": "admin", "mode": "development", "readOnly": True},
            "autoscaling": {"enabled": True},
            "image": {"digest": f"sha256:{'0' * 64}"},
            "nodeSelector": {"pool": "chat"},
            "priorityClassName": "high",
            "podAnnotations": {"a": "b"},
            "settings": {"MAX_CONNECTIONS": "1000"},
            "files": {"welcome.txt": "Hello.\n"},
        },
        "auth": {"clients": {"existingSecret": "clients"}},
        "imagePullSecrets": [{"name": "registry"}],
        "ingress": {"className": "traefik", "host": "chat.example.org", "tls": {"secretName": "certificate"}},
        "networkPolicy": {"clients": [{"namespaceSelector": {}}]},
        "loadTest": {"enabled": True, "workers": 3},
        "monitoring": {
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True, "runbook": "https://wiki.example.org/roomwire/runbook"},
            "dashboards": {"enabled": True},
        },
    },
    "elsewhere": {
        "redis": {
            "enabled": False,
            "existingSecret": "redis",
            "external": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        },
        "auth": {"enabled": False},
        "tokens": {"jwksUrl": "https://id.example.org/jwks"},
        "ingress": {"enabled": False},
    },
    "tls": {
        "gateway": {"tls": {"secretName": "gateway-certificate"}},
        "auth": {"tls": {"secretName": "auth-certificate"}},
        "ingress": {"serversTransport": "den-pods@kubernetescrd"},
    },
    "pods": {
        "pods": {
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": {"pool": "chat"},
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "podAnnotations": {"a": "b"},
            "podLabels": {"team": "chat"},
            "serviceAccountName": "people",
            "extraEnv": [{"name": "A", "value": "b"}],
            "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "extraContainers": [
                {
                    "name": "beside",
                    "image": "registry.test/beside:1",
                    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "extraIngress": [{"from": [{"podSelector": {"matchLabels": {"app": "shop"}}}]}],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}],
        },
        "policy": {"file": '[roles.guest]\n"*" = ["join"]\n'},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "sessionPersistence": True},
        "loadTest": {"enabled": True, "url": "http://traefik.traefik"},
    },
    "bare": {
        "gateway": {"relay": {"enabled": False}},
        "redis": {"persistence": {"enabled": False}},
        "networkPolicy": {"enabled": False},
    },
}
"""Values that together render every line."""


@dataclass(frozen=True)
class Case:
    """One rendering of the chart.

    Attributes:
        values: The values.
        release: The name of the release.
        namespace: The namespace.
        options: Further options of `helm template`.

    """

    values: Values = field(default_factory=dict)
    release: str = "chat"
    namespace: str = "den"
    options: tuple[str, ...] = ()


_SHOP = {"podSelector": {"matchLabels": {"app": "shop"}}}
_NETWORK = {"ipBlock": {"cidr": "10.0.0.0/8"}}
_ANOTHER_PROVIDER: Values = {"auth": {"enabled": False}, "tokens": {"jwksUrl": "https://id.example.org/jwks"}}
_ANOTHER_REDIS: Values = {"redis": {"enabled": False, "existingSecret": "urls"}}
_LOADED = {"enabled": True, "url": "http://traefik.traefik"}
_MONITORED = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboards": {"enabled": True},
}
_OWN: Values = {
    "nodeSelector": {"pool": "own"},
    "tolerations": [{"key": "own"}],
    "affinity": {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []},
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "own"}],
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}],
        },
    },
    "topologySpreadConstraints": [{"maxSkew": 9}],
    "priorityClassName": "own",
    "podAnnotations": {"own": "annotation", "checksum/policy": "own"},
    "podLabels": {"own": "label", "app.kubernetes.io/name": "own"},
    "podSecurityContext": {"fsGroup": None, "supplementalGroups": [7]},
    "securityContext": {"privileged": False},
    "serviceAccountName": "own",
    "resources": {"limits": {"cpu": 2, "memory": None}},
    "extraEnv": [{"name": "OWN", "value": "a: 'b' \"c\" #d"}],
    "extraEnvFrom": [{"secretRef": {"name": "own"}}],
    "extraVolumes": [{"name": "own", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "own", "mountPath": "/own"}],
    "extraContainers": [{"name": "own", "image": "own", "args": ["a\nb", "--c"]}],
    "extraInitContainers": [{"name": "first", "image": "own"}],
    "extraIngress": [{"from": [_SHOP], "ports": [{"port": 9999, "protocol": "TCP"}]}],
    "extraEgress": [{"to": [_NETWORK]}],
}
"""Each value that a part can set for its own pods."""
_SHARED = {name: value for name, value in _OWN.items() if name != "resources"}
"""Each value of `pods`."""


def _everywhere(own: Values) -> Values:
    """Return values in which each part sets all values of its own pods."""
    parts = dict.fromkeys(("gateway", "auth", "redis", "secrets", "test"), own)
    parts["auth"] = {**own, "signingKey": {"rotation": own}}
    return {**parts, "loadTest": {**_LOADED, **own}}


def _gateway(**values: Any) -> Case:
    return Case({"gateway": values})


def _auth(**values: Any) -> Case:
    return Case({"auth": values})


def _pods(**values: Any) -> Case:
    return Case({"pods": values, "loadTest": _LOADED})


CASES: Mapping[str, Case] = {
    **{name: Case(values) for name, values in SIZES.items()},
    # Names and images.
    "another release": Case(
        {"loadTest": _LOADED, "monitoring": _MONITORED}, release="apps", namespace="team"
    ),
    "another name, in the release's": Case({"nameOverride": "talk"}, release="small-talk"),
    "a long name": Case({"fullnameOverride": "x" * 60}),
    "an upgrade": Case(options=("--is-upgrade",)),
    "repositories": Case(
        {
            "images": {"registry": ""},
            "gateway": {"image": {"repository": "mine/gateway", "tag": "7", "pullPolicy": "Always"}},
            "auth": {"image": {"repository": "mine/auth", "tag": "8", "pullPolicy": "Never"}},
            "redis": {"image": {"repository": "mine/redis", "tag": "9", "pullPolicy": "Always"}},
            "loadTest": {**_LOADED, "image": {"repository": "mine/load", "pullPolicy": "Always"}},
        }
    ),
    "an application": _gateway(app="board:app", image={"repository": "mine/board", "tag": "7"}),
    "an application of files": _gateway(
        app="board:app",
        files={
            "board.py": "from roomwire import App\n\napp = App()\n",
            "settings-1.toml": "a = \"b: 'c' #d\"",
        },
    ),
    "checks of an application": Case(
        {
            "gateway": {"app": "board:app", "files": {"checks.py": ""}, "api": {"enabled": True}},
            "test": {
                "command": ["python", "checks.py", 'a "b"'],
                "namespace": "/board",
                "auth": {"key": "a'b"},
            },
        }
    ),
    "digests": Case(
        {
            "images": {"registry": "registry.test/"},
            **{
                part: {"image": {"tag": "7", "digest": f"sha256:{digit * 64}"}}
                for part, digit in (("gateway", "1"), ("auth", "2"), ("redis", "3"))
            },
            "loadTest": {**_LOADED, "image": {"digest": f"sha256:{'4' * 64}"}},
        }
    ),
    "pull secrets": Case({"imagePullSecrets": [{"name": "one"}, {"name": "two"}], "loadTest": _LOADED}),
    # Settings of both services.
    "origins": Case({"corsOrigins": ["https://a.example", "https://b.example"]}),
    "any origin": Case({"corsOrigins": ["*"]}),
    "proxies": Case({"trustedProxies": ["10.0.0.0/8", "fd00::/8"]}),
    "a log level": Case({"log": {"level": "debug"}}),
    "an issuer": Case({"tokens": {"issuer": "https://id.example.org/", "audience": "talk"}}),
    "a policy": Case({"policy": {"file": '\n[roles.guest]\n"*" = ["join"]\n\n# end\n'}}),
    "a policy in a map of its own": Case({"policy": {"existingConfigMap": "rules"}}),
    # Gateways.
    "replicas": Case({"gateway": {"replicas": 7}, "auth": {"replicas": 3}}),
    "a rollout": Case(
        {
            "gateway": {"rollout": {"maxSurge": 0, "maxUnavailable": 1}},
            "auth": {"rollout": {"maxSurge": "25%", "maxUnavailable": "50%"}},
        }
    ),
    "no tokens": Case({"auth": {"enabled": False}, "gateway": {"authMode": "off"}}),
    "tokens as people like": _gateway(authMode="optional"),
    "websocket alone": _gateway(transports=["websocket"]),
    "polling alone": _gateway(transports=["polling"]),
    "a drain": _gateway(drainSeconds=600),
    "no drain": _gateway(drainSeconds=0),
    "settings of gateways": _gateway(
        settings={"HOST": "::", "MAX_CONNECTIONS": "1000", "A_TEXT": "a: 'b' \"c\" #d"}
    ),
    "no relay": _gateway(relay={"enabled": False}),
    "a relay of its own": _gateway(relay={"existingSecret": "relay"}),
    "an api": _gateway(api={"enabled": True}),
    "an api for some": _gateway(api={"enabled": True, "existingSecret": "keys", "from": [_SHOP]}),
    "an api for all": _gateway(api={"enabled": True, "from": [_SHOP], "ingress": True}),
    "an api for clients": Case(
        {
            "gateway": {"api": {"enabled": True, "from": [_SHOP], "ingress": True}},
            "networkPolicy": {"clients": [_NETWORK]},
        }
    ),
    "scaled by connections": _gateway(
        autoscaling={
            "enabled": True,
            "connections": 1000,
            "cpuPercent": 0,
            "minReplicas": 3,
            "maxReplicas": 5,
        }
    ),
    "scaled by cpu": _gateway(
        autoscaling={
            "enabled": True,
            "connections": 0,
            "cpuPercent": 50,
            "scaleDownWindowSeconds": 60,
            "scaleDownPeriodSeconds": 30,
        }
    ),
    "annotations of a service": _gateway(service={"annotations": {"a": "b"}}),
    # Auth.
    "settings of auth": _auth(settings={"GUESTS": "false", "KEY_LEAD_S": "7200", "THROTTLE": "true"}),
    "clients": _auth(clients={"existingSecret": "clients"}),
    "no rotation": _auth(signingKey={"rotation": {"schedule": ""}}),
    "another rotation": _auth(signingKey={"rotation": {"schedule": "@weekly"}}),
    "a signing key of its own": _auth(signingKey={"existingSecret": "key"}),
    "another provider": Case(
        {
            "auth": {"enabled": False},
            "tokens": {
                "discoveryUrl": "https://id.example.org/.well-known/openid-configuration",
                "algorithms": ["RS256", "ES256"],
                "types": ["JWT", "none"],
                "claims": {"user": "oid", "name": "/a/b", "session": "s", "roles": "/realm_access/roles"},
            },
            "monitoring": _MONITORED,
        }
    ),
    "another provider's keys": Case({**_ANOTHER_PROVIDER, "networkPolicy": {"clients": [_NETWORK]}}),
    # Redis.
    "another redis": Case(_ANOTHER_REDIS),
    "another redis by its authority": Case(
        {
            "redis": {
                "enabled": False,
                "existingSecret": "urls",
                "prefix": "chat",
                "external": {"caSecret": "authority", "to": [_NETWORK, _SHOP]},
            }
        }
    ),
    "sentinels": Case(
        {"redis": {"enabled": False, "existingSecret": "urls", "external": {"ports": [6379, 26379]}}}
    ),
    "another redis and provider": Case({**_ANOTHER_REDIS, **_ANOTHER_PROVIDER}),
    "a secret for redis": Case({"redis": {"existingSecret": "urls"}}),
    "redis in memory": Case(
        {"redis": {"persistence": {"enabled": False}, "maxMemory": "1gb", "prefix": "chat"}}
    ),
    "a disk for redis": Case({"redis": {"persistence": {"size": "9Gi", "storageClass": "fast"}}}),
    "redis not first": Case({"redis": {"scheduledFirst": False}}),
    # Secrets.
    "secrets of their own": Case(
        {
            "secrets": {"create": False},
            "redis": {"existingSecret": "urls"},
            "auth": {"signingKey": {"existingSecret": "key"}},
            "gateway": {"relay": {"existingSecret": "relay"}},
        }
    ),
    # Entrances for clients.
    "no ingress": Case({"ingress": {"enabled": False}}),
    "an ingress": Case(
        {"ingress": {"className": "nginx", "host": "chat.example.org", "annotations": {"c": "d"}}}
    ),
    "an ingress with tls": Case({"ingress": {"tls": {"secretName": "certificate"}}}),
    "an ingress with tls for a host": Case(
        {
            "ingress": {"host": "chat.example.org", "tls": {"secretName": "certificate"}},
            "loadTest": {"enabled": True},
        }
    ),
    "an ingress of its own": Case(
        {
            "ingress": {"preset": "custom", "annotations": {"a": "b"}, "serversTransport": "x"},
            "gateway": {"service": {"annotations": {"c": "d"}}, "tls": {"secretName": "gateway-certificate"}},
        }
    ),
    "tls of gateways": _gateway(
        tls={"secretName": "gateway-certificate"}, api={"enabled": True, "ingress": True}
    ),
    "tls of auth": _auth(tls={"secretName": "auth-certificate"}),
    "a route": Case(
        {
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "annotations": {"a": "b"}},
            "gateway": {"api": {"enabled": True, "ingress": True}},
            "ingress": {"host": "chat.example.org"},
        }
    ),
    "a route for hosts": Case(
        {
            **_ANOTHER_PROVIDER,
            "httpRoute": {
                "enabled": True,
                "parentRefs": [{"name": "public", "namespace": "edge"}],
                "hostnames": ["a.example", "b.example"],
                "sessionPersistence": True,
            },
            "ingress": {"enabled": False},
        }
    ),
    # Networks.
    "no policies": Case({"networkPolicy": {"enabled": False}, "loadTest": _LOADED}),
    "policies": Case(
        {
            "networkPolicy": {
                "clients": [_NETWORK, _SHOP],
                "apiPorts": [16443],
                "dns": [_NETWORK],
                "monitoring": [],
            },
            "loadTest": _LOADED,
        }
    ),
    "one family": Case({"service": {"ipFamilyPolicy": "SingleStack"}, "loadTest": _LOADED}),
    "families": Case(
        {
            "service": {"ipFamilyPolicy": "", "ipFamilies": ["IPv6", "IPv4"]},
            "loadTest": _LOADED,
            "monitoring": _MONITORED,
        }
    ),
    # Monitoring.
    "monitored": Case({"monitoring": {**_MONITORED, "labels": {"release": "prometheus"}}}),
    "a runbook": Case(
        {"monitoring": {"prometheusRule": {"enabled": True, "runbook": "https://wiki.example.org/r#"}}}
    ),
    "a service monitor": Case({"monitoring": {"serviceMonitor": {"enabled": True, "interval": "10s"}}}),
    # Load.
    "a load test": Case(
        {
            "loadTest": {
                **_LOADED,
                "scenario": "storm",
                "users": 5000,
                "seconds": 90,
                "workers": 4,
            }
        }
    ),
    "a load test at a host": Case({"ingress": {"host": "chat.example.org"}, "loadTest": {"enabled": True}}),
    # Pods.
    "pods of their own": Case(_everywhere(_OWN)),
    "pods and parts": Case(
        {"pods": _SHARED, **_everywhere({"nodeSelector": {"pool": None, "zone": "a"}, "extraEnv": []})}
    ),
    "contexts left to the cluster": _pods(podSecurityContext=None, securityContext=None),
    "no user": _pods(podSecurityContext={"runAsUser": None, "fsGroup": None}),
    "pods not spread": _pods(topologySpreadConstraints=[]),
    "an affinity": _pods(affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}),
}
"""Each option of the chart; `tests/rendered` contains what all of them render."""
