"""The load test in the cluster: its master, its workers, and the URL that they use."""

import json

import pytest
from chart import CHART, Refused, install

from roomwire_loadtest.load.scenarios import SCENARIOS

ON = {"enabled": True, "url": "http://traefik.traefik", "workers": 3, "seconds": 30, "users": 70}


@pytest.fixture(scope="module")
def jobs():
    release = install({"loadTest": ON})
    return {
        name: release.job(name)["spec"] for name in ("chat-roomwire-load-1", "chat-roomwire-load-workers-1")
    }


def arguments(job):
    (container,) = job["template"]["spec"]["containers"]
    words = container["args"]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_no_load_is_sent_by_default():
    assert not [one for one in install().documents if "-load" in one["metadata"]["name"]]


def test_a_master_leads_as_many_workers_as_there_are(jobs):
    release = install({"loadTest": ON})
    master, workers = jobs["chat-roomwire-load-1"], jobs["chat-roomwire-load-workers-1"]
    (port,) = release.one("Service", "chat-roomwire-load")["spec"]["ports"]

    assert ("3", 1) == (arguments(master)["--master"], master["parallelism"])
    assert ("chat-roomwire-load", 3, 3) == (
        arguments(workers)["--worker"],
        workers["parallelism"],
        workers["completions"],
    )
    assert 5557 == port["port"]
    assert "70" == arguments(master)["--users"]


def test_master_and_workers_do_the_same(jobs):
    wanted = {"--scenario": "mixed", "--seconds": "30", "--url": "http://traefik.traefik"}

    assert [wanted] * 2 == [{name: arguments(job)[name] for name in wanted} for job in jobs.values()]


@pytest.mark.parametrize("change", [{"users": 80}, {"workers": 4}, {"image": {"tag": "next"}}])
def test_master_and_workers_are_begun_together_as_neither_ends_without_the_other(change):
    def names(values):
        found = {one["metadata"]["name"] for one in install({"loadTest": values}).all("Job")}
        return {name for name in found if "-load" in name}

    assert set() == names(ON) & names({**ON, **change})


def test_what_half_of_the_people_measured_is_not_begun_again(jobs):
    assert {0} == {job["backoffLimit"] for job in jobs.values()}
    assert {"Never"} == {job["template"]["spec"]["restartPolicy"] for job in jobs.values()}


def test_only_workers_reach_the_master_and_no_pod_reaches_workers():
    release = install({"loadTest": ON})
    master = release.one("NetworkPolicy", "chat-roomwire-load-master")["spec"]
    workers = release.one("NetworkPolicy", "chat-roomwire-load")["spec"]

    (rule,) = master["ingress"]
    (peer,) = rule["from"]
    assert "load" == peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
    assert "egress" not in master
    assert "ingress" not in workers


@pytest.mark.parametrize(
    ("ingress", "url"),
    [
        ({"host": "chat.example.org"}, "http://chat.example.org"),
        ({"host": "chat.example.org", "tls": {"secretName": "certificate"}}, "https://chat.example.org"),
    ],
)
def test_people_come_in_by_the_ingress_unless_told_otherwise(ingress, url):
    release = install({"ingress": ingress, "loadTest": {"enabled": True}})

    assert url == arguments(release.job("chat-roomwire-load-1")["spec"])["--url"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"loadTest": {"enabled": True}}, "set loadTest.url to the URL of the ingress"),
        (
            {
                "loadTest": ON,
                "auth": {"enabled": False},
                "tokens": {"jwksUrl": "https://id.example.org/jwks"},
            },
            "simulated users sign in there",
        ),
    ],
)
def test_what_cannot_work_is_refused(values, sentence):
    with pytest.raises(Refused, match=sentence):
        install(values)


def test_the_scenarios_are_those_that_there_are():
    schema = json.loads((CHART / "values.schema.json").read_text())

    assert [*SCENARIOS] == schema["properties"]["loadTest"]["properties"]["scenario"]["enum"]
