"""What Helm prints after an installation: every address at which clients reach it."""

import json
import os
import re
import subprocess

import pytest
from chart import CHART, HELM, REGISTRY

PARENT = {"enabled": True, "parentRefs": [{"name": "gateway"}]}
OF_THE_ROUTE = "by the listeners of the Gateway (HTTPRoute)"


def notes(values):
    command = [HELM, "install", "chat", CHART, "--namespace", "den", "--dry-run=client", "--values", "-"]
    done = subprocess.run(
        [str(part) for part in command],
        input=json.dumps({"images": {"registry": REGISTRY}, **values}),
        env={**os.environ, "KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def clients(values):
    return re.findall(r"^Clients:  (.+)$", notes(values), re.MULTILINE)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ["http://<address of your ingress>/"]),
        ({"ingress": {"host": "a.test", "tls": {"secretName": "a"}}}, ["https://a.test/"]),
        (
            {"ingress": {"enabled": False}},
            ["kubectl -n den port-forward service/chat-roomwire-gateway 3000:80"],
        ),
        (
            {"ingress": {"host": "a.test"}, "httpRoute": {**PARENT, "hostnames": ["b.test", "c.test"]}},
            ["http://a.test/", f"b.test, {OF_THE_ROUTE}", f"c.test, {OF_THE_ROUTE}"],
        ),
        (
            {"ingress": {"enabled": False, "host": "a.test"}, "httpRoute": PARENT},
            [f"a.test, {OF_THE_ROUTE}"],
        ),
    ],
)
def test_each_address_is_printed(values, shown):
    assert shown == clients(values)


@pytest.mark.parametrize(("proxies", "is_told"), [([], True), (["10.0.0.0/8"], False)])
def test_it_says_what_is_limited_where_client_addresses_are_not_known(proxies, is_told):
    assert is_told == ("Client addresses are not known" in notes({"trustedProxies": proxies}))
