"""What can be told of the tests on a cluster without one."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml
from records import KEPT

from roomwire.app.loading import load
from roomwire_e2e.__main__ import TRIALS, Trial, chosen, passes, try_out
from roomwire_e2e.applications import NEW, VALUES, application_of
from roomwire_e2e.cluster import Cluster, ClusterError, exported, run
from roomwire_e2e.edges import Edge, wanted, without_one
from roomwire_e2e.elsewhere import MANIFESTS, changed, small
from roomwire_e2e.images import builder, checkout_of
from roomwire_e2e.load import Report, reported, run_load, wrong
from roomwire_e2e.phases import PHASES
from roomwire_e2e.release import CHART, Release
from roomwire_e2e.room import asked, millicores
from roomwire_e2e.talking import MESSAGES, MESSAGES_IN_ONE_ROOM
from roomwire_e2e.tls_ingress import try_tls_at_ingress
from roomwire_e2e.upgrades import raised
from roomwire_loadtest.faults.oracle import COUNTS
from roomwire_loadtest.faults.report import FAIL, PASS, SKIP, VOID, Outcome
from roomwire_loadtest.faults.stage import Skipped
from roomwire_loadtest.load.record import report

FILE = r"gateway.files.board\.py"
COMPONENTS = ("gateway", "auth", "redis", "stranger", "scraper")


def cluster(**env: str) -> Cluster:
    return Cluster("http://127.0.0.1:1", "test", env)


def test_every_phase_is_run_unless_some_are_asked_for():
    assert ["test", "test-app", "edges", "tls", "tls-ingress", "quota", "manifests", "load"] == [*TRIALS]
    assert sorted([*TRIALS, *(row.id for row in PHASES)]) == sorted(chosen(""))
    assert ["edges", "kill"] == chosen("kill edges")


def test_phases_of_another_application_come_last_so_that_it_is_changed_once():
    assert ["test", "kill", "kill-app", "previous-app", "new"] == chosen(
        "new previous-app kill-app kill test"
    )
    assert ["board", "chat", "new"] == [application_of(name) for name in ("kill-app", "kill", "new")]


def test_the_application_is_one_and_the_chart_gets_its_file_under_the_name_that_it_serves():
    assert {"/": ["move", "watch"]} == load("roomwire_e2e.board:app").bind()
    assert ("board:app", "board.py") == (VALUES["board"]["gateway.app"], VALUES["board"][FILE].name)


@pytest.fixture
def release(tmp_path):
    """A release on a cluster with two gateways, whose helm writes down what it was told."""
    pod = {
        "metadata": {"name": "", "uid": ""},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    (tmp_path / "helm").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\necho '{json.dumps({'items': [pod, pod]})}'\n")
    for program in ("helm", "kubectl"):
        (tmp_path / program).chmod(0o755)
    return Release(cluster(PATH=f"{tmp_path}:/usr/bin:/bin"))


async def test_an_application_holds_in_each_upgrade_until_another_is_served(release, tmp_path):
    for application in ("chat", "board", "board"):
        await release.serve(application)
    await release.upgrade({"gateway.replicas": "3"})
    await release.serve("chat")
    told = (tmp_path / "told").read_text("utf-8").splitlines()

    given = f"--set-file {FILE}={VALUES['board'][FILE]}"
    assert [True, True, False] == [given in line for line in told]
    assert [False, True, False] == ["--set gateway.replicas=3" in line for line in told]


async def test_a_chart_that_does_not_know_files_cannot_serve_the_application(release, tmp_path):
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    del schema["properties"]["gateway"]["properties"]["files"]
    (tmp_path / "values.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    assert release.fits(tmp_path)

    await release.serve("board")

    assert (True, False) == (release.fits(CHART), release.fits(tmp_path))


def test_a_phase_that_does_not_exist_is_named():
    with pytest.raises(SystemExit, match="there is no phase murder; there are test, edges, tls, tls-ingress"):
        chosen("kill murder")


def test_a_phase_with_too_few_messages_shows_nothing():
    assert (10_000, 2_500) == (MESSAGES, MESSAGES_IN_ONE_ROOM)
    # In one room the log keeps fewer of the messages that a client misses.
    expected = {row.id: MESSAGES_IN_ONE_ROOM if row.id == NEW else MESSAGES for row in PHASES}
    assert expected == {row.id: row.at_least for row in PHASES}


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


COUNTED = dict.fromkeys(COUNTS, 0.0)
REPORT = Report(users=1_000, acknowledged=40_000, delivered=400_000, counts=dict.fromkeys(COUNTS, 0))


def test_the_report_of_a_load_test_is_found_among_what_its_master_printed():
    said = f"[INFO] ready\n{report(msgspec.structs.replace(KEPT, measured=COUNTED))}\nevidence | lost |\n"

    assert REPORT == reported(said)
    with pytest.raises(ClusterError, match="the master reports nothing: no"):
        reported("no\n")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"delivered": 0}, ["no message was sent, or none was delivered"]),
        ({"measured": COUNTED | {COUNTS[0]: 2.0}}, [f"{COUNTS[0]}: 2"]),
    ],
)
def test_a_load_test_is_judged_by_what_it_counts(change, found):
    counted = {"measured": COUNTED} | change
    assert found == wrong(reported(report(msgspec.structs.replace(KEPT, **counted))))


def test_a_load_test_that_did_not_count_shows_nothing():
    with pytest.raises(ClusterError, match="the master did not count lost"):
        reported(report(KEPT))


async def test_on_another_cluster_somebody_has_to_say_how_pods_reach_the_ingress():
    with pytest.raises(Skipped, match="set E2E_INGRESS"):
        await run_load(Release(cluster()), "0")


def test_the_chart_is_where_it_is_looked_for():
    assert (CHART / "Chart.yaml").exists()


@pytest.mark.parametrize(("quantity", "found"), [("250m", 250), ("2", 2_000), ("0.5", 500), ("0", 0)])
def test_quantities_of_cpu_are_thousandths_of_a_core(quantity, found):
    assert found == millicores(quantity)


def test_a_pod_that_has_ended_holds_no_cpu():
    container = {"resources": {"requests": {"cpu": "50m"}}}
    pods = [
        {"status": {"phase": phase}, "spec": {"containers": [container, {}]}}
        for phase in ("Running", "Pending", "Succeeded", "Failed")
    ]
    assert 100 == asked(pods)


def test_a_raised_version_is_all_that_changes_of_a_chart():
    with raised() as chart:
        changed_files = [
            path.relative_to(chart)
            for path in chart.rglob("*")
            if path.is_file() and path.read_bytes() != (CHART / path.relative_to(chart)).read_bytes()
        ]
        lines = [
            line
            for line in (chart / "Chart.yaml").read_text("utf-8").splitlines()
            if line not in (CHART / "Chart.yaml").read_text("utf-8").splitlines()
        ]
    assert ([Path("Chart.yaml")], ["version: 99.0.0"]) == (changed_files, lines)


def test_other_images_of_the_plain_manifests_are_those_of_roomwire_alone():
    manifests = list(yaml.safe_load_all(MANIFESTS.read_text("utf-8")))
    made = changed(manifests, image="registry.test/", cpu="7m")
    pods = [
        one["spec"].get("template", one)["spec"]
        for one in made
        if one["kind"] in {"Deployment", "Pod", "StatefulSet"}
    ]
    images = sorted({container["image"].partition(":")[0] for pod in pods for container in pod["containers"]})

    assert ["registry.test/roomwire-auth", "registry.test/roomwire-gateway", "valkey/valkey"] == images
    assert manifests == list(yaml.safe_load_all(MANIFESTS.read_text("utf-8")))
    assert {"7m", "50m"} == {
        container["resources"]["requests"]["cpu"] for pod in pods for container in pod["containers"]
    }


def test_a_release_beside_another_says_for_each_part_what_it_takes():
    assert {"limits.cpu", "requests.cpu"} == {
        name.partition(".resources.")[2] for name in small() if "resources" in name
    }


async def test_on_another_cluster_somebody_has_to_say_where_the_ingress_speaks_tls():
    with pytest.raises(Skipped, match="set E2E_TLS_PORT"):
        await try_tls_at_ingress(Release(cluster()))


@pytest.mark.parametrize(
    ("error", "verdict"), [(None, PASS), (ClusterError("no"), FAIL), (Skipped("not here"), SKIP)]
)
async def test_a_trial_fails_by_a_sentence_or_is_skipped_by_one(error, verdict):
    async def run_(_: Release) -> list[str]:
        if error:
            raise error
        return ["shown"]

    outcome = await try_out("it", Trial("what", run_), Release(cluster()))

    assert (verdict, [str(error)] if error else []) == (outcome.verdict, outcome.reasons)
