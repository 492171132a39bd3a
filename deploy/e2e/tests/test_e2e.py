"""What can be told of the tests on a cluster without one."""

from pathlib import Path

import msgspec
import pytest
from records import KEPT

from e2e.__main__ import chosen, passes
from e2e.cluster import Cluster, ClusterError, exported, run
from e2e.edges import Edge, wanted, without_one
from e2e.images import builder, checkout_of
from e2e.load import Report, reported, run_load, wrong
from e2e.phases import MESSAGES, PHASES
from e2e.release import CHART, Release
from faults.oracle import COUNTS
from faults.report import FAIL, PASS, SKIP, VOID, Outcome
from faults.stage import Skipped
from load.record import report

COMPONENTS = ("gateway", "auth", "redis", "stranger", "scraper")


def cluster(**env: str) -> Cluster:
    return Cluster("http://127.0.0.1:1", "test", env)


def test_every_phase_is_run_unless_some_are_asked_for():
    assert ["test", "edges", "tls", "load", *(row.id for row in PHASES)] == chosen("")
    assert ["edges", "kill"] == chosen("kill edges")


def test_a_phase_that_does_not_exist_is_named():
    with pytest.raises(SystemExit, match="there is no phase murder; there are test, edges, tls, load, kill"):
        chosen("kill murder")


def test_a_phase_with_fewer_than_ten_thousand_messages_shows_nothing():
    assert 10_000 == MESSAGES
    assert {MESSAGES} == {row.at_least for row in PHASES}


def test_the_shell_lines_of_the_local_cluster_are_understood():
    lines = 'export PATH="/opt/bin:$PATH" KUBECONFIG="/opt/my config"\n'
    assert {"PATH": "/opt/bin:/usr/bin", "KUBECONFIG": "/opt/my config"} == exported(
        lines, {"PATH": "/usr/bin"}
    )


async def test_without_a_cluster_the_error_says_what_to_set(tmp_path):
    with pytest.raises(ClusterError, match="set E2E_URL"):
        await Cluster.found({"E2E_CLUSTER": str(tmp_path / "none")})


async def test_another_cluster_is_taken_as_it_is():
    found = await Cluster.found({"E2E_URL": "http://chat.test", "E2E_NAMESPACE": "mine"})
    assert ("http://chat.test", "mine", None) == (found.url, found.namespace, found.tool)


def test_the_builder_is_what_one_asks_for_or_what_is_there(tmp_path):
    assert ["docker", "buildx", "build"] == builder(cluster(E2E_BUILD="docker buildx build"))
    podman = tmp_path / "podman"
    podman.touch(mode=0o755)
    assert ["podman", "build"] == builder(cluster(PATH=str(tmp_path)))
    podman.unlink()
    with pytest.raises(ClusterError, match="install docker, podman or buildah, or set E2E_BUILD"):
        builder(cluster(PATH=str(tmp_path)))


async def test_a_command_that_fails_says_what_it_printed():
    with pytest.raises(ClusterError, match="`sh -c echo no; exit 3` failed: no"):
        await run(["sh", "-c", "echo no; exit 3"], env={"PATH": "/usr/bin:/bin"})


async def test_a_revision_without_images_cannot_be_upgraded_from(tmp_path):
    repository, env = tmp_path / "repository", {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    await run(["git", "init", "--quiet", str(repository)], env=env)
    await run(
        ["git", "-C", str(repository), *author, "commit", "--quiet", "--allow-empty", "-m", "x"], env=env
    )
    with pytest.raises(Skipped, match="HEAD has no images and chart to upgrade from"):
        async with checkout_of("HEAD", repository=repository):
            pass
    with pytest.raises(Skipped, match="HEAD\\^ cannot be had"):
        async with checkout_of("HEAD^", repository=repository):
            pass


@pytest.mark.parametrize(
    ("verdicts", "allowed", "is_good"),
    [
        ([], [], False),
        ([PASS, PASS], [], True),
        ([PASS, SKIP], [], False),
        ([PASS, SKIP], ["1"], True),
        ([PASS, SKIP], ["0"], False),
        ([PASS, VOID], ["1"], False),
        ([FAIL, PASS], ["0"], False),
    ],
)
def test_a_run_is_good_when_all_passed_but_what_may_be_skipped(verdicts, allowed, is_good):
    outcomes = [Outcome(id=str(n), fault="", verdict=verdict) for n, verdict in enumerate(verdicts)]
    assert is_good is passes(outcomes, set(allowed))


def tool(folder: Path, *, is_up: bool) -> Path:
    """Make a local cluster's tool that writes down what it was told, and a kubectl that reaches it or not."""
    made = folder / "cluster"
    made.write_text(
        f'#!/bin/sh\necho "$1" >> {folder}/told\n[ "$1" != env ] || echo \'export PATH="{folder}:$PATH"\'\n'
    )
    (folder / "kubectl").write_text(f"#!/bin/sh\nexit {0 if is_up else 1}\n")
    for file in (made, folder / "kubectl"):
        file.chmod(0o755)
    return made


@pytest.mark.parametrize(("is_up", "told"), [(True, ["env"]), (False, ["env", "up", "down"])])
async def test_only_a_cluster_that_was_started_here_is_stopped(tmp_path, is_up, told):
    environment = {"E2E_CLUSTER": str(tool(tmp_path, is_up=is_up)), "PATH": "/usr/bin:/bin"}
    found = await Cluster.found(environment)
    await found.down()
    assert told == (tmp_path / "told").read_text("utf-8").split()


async def test_a_command_that_is_not_there_is_named():
    with pytest.raises(ClusterError, match="`no-such-command` does not start"):
        await run(["no-such-command"], env={"PATH": "/usr/bin:/bin"})


def test_rules_are_taken_away_one_at_a_time_and_peers_where_there_are_several():
    policy = {
        "metadata": {"name": "redis"},
        "spec": {"ingress": [{"from": ["a", "b"], "ports": [1]}], "egress": [{"to": ["c"]}, {"ports": [2]}]},
    }
    assert [
        ('redis, ingress: "a"', [{"from": ["b"], "ports": [1]}], [{"to": ["c"]}, {"ports": [2]}]),
        ('redis, ingress: "b"', [{"from": ["a"], "ports": [1]}], [{"to": ["c"]}, {"ports": [2]}]),
        ('redis, egress: {"to": ["c"]}', [{"from": ["a", "b"], "ports": [1]}], [{"ports": [2]}]),
        ('redis, egress: {"ports": [2]}', [{"from": ["a", "b"], "ports": [1]}], [{"to": ["c"]}]),
    ] == [(what, less["spec"]["ingress"], less["spec"]["egress"]) for what, less in without_one(policy)]


def test_only_the_edges_that_are_needed_are_wanted():
    closed = [
        (source, target, port)
        for source in COMPONENTS
        for target, port in (("redis", "redis"), ("gateway", "ops"), ("gateway", "relay"), ("auth", "ops"))
        if not wanted(source, target, port)
    ]
    assert ("stranger", "redis", "redis") in closed
    assert ("auth", "gateway", "ops") in closed
    assert ("scraper", "redis", "redis") in closed
    assert ("auth", "gateway", "relay") in closed
    assert wanted("gateway", "peer", "relay")
    assert not wanted("gateway", "peer", "http")
    assert ("scraper", "gateway", "ops") not in closed
    assert ("gateway", "redis", "redis") not in closed


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("is_needed", [True, False])
def test_an_edge_is_right_when_it_is_open_exactly_if_it_is_needed(is_open, is_needed):
    assert (is_open is is_needed) is Edge("a", "b", "http", is_open, is_needed).is_right


REPORT = Report(users=1_000, acknowledged=40_000, delivered=400_000, counts=dict.fromkeys(COUNTS, 0))


def test_the_report_of_a_load_test_is_found_among_what_its_master_printed():
    said = f"[INFO] ready\n{report(KEPT)}\nevidence | lost |\n"

    assert REPORT == reported(said)
    with pytest.raises(ClusterError, match="the master reports nothing: no"):
        reported("no\n")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"delivered": 0}, ["nothing was said, or nobody heard it"]),
        ({"measured": {COUNTS[0]: 2.0}}, [f"{COUNTS[0]}: 2"]),
    ],
)
def test_a_load_test_is_judged_by_what_it_counts(change, found):
    assert found == wrong(reported(report(msgspec.structs.replace(KEPT, **change))))


async def test_on_another_cluster_somebody_has_to_say_how_pods_reach_the_ingress():
    with pytest.raises(Skipped, match="set E2E_INGRESS"):
        await run_load(Release(cluster()), "0")


def test_the_chart_is_where_it_is_looked_for():
    assert (CHART / "Chart.yaml").exists()
