"""The files that are generated from the chart, and the verdicts of other tools about it."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from chart import CHART, HELM, ROOT, SIZES, install
from needs import need

from render import MANIFESTS, from_values, manifests
from render import values as described_values

OLDEST, NEWEST = "1.30", "1.37"


def test_schema_and_readme_are_what_the_values_make():
    assert {path: path.read_text() for path in from_values()} == from_values()


def test_the_plain_manifests_are_what_the_chart_makes():
    assert MANIFESTS.read_text() == manifests()


def test_helm_finds_nothing_to_complain_about():
    linted = subprocess.run([HELM, "lint", "--strict", CHART], capture_output=True, text=True, check=False)

    assert 0 == linted.returncode, linted.stdout


def levels(schema, path=""):
    if schema.get("type") == "object":
        yield path, schema
        for name, below in schema.get("properties", {}).items():
            yield from levels(below, f"{path}.{name}")


def test_the_schema_knows_every_level():
    schema = json.loads((CHART / "values.schema.json").read_text())
    open_levels = {path for path, level in levels(schema) if "additionalProperties" not in level}

    assert {".global"} == open_levels


def test_documents_name_values_that_there_are():
    values = described_values((CHART / "values.yaml").read_text())
    described = {value.path for value in values}
    # Keys inside these maps are Kubernetes' own.
    maps = tuple(f"{'.'.join(value.path)}." for value in values if value.kind == "object")
    known = {".".join(path[:length]) for path in described for length in range(1, len(path) + 1)}
    roots = "|".join({path[0] for path in described})
    text = "".join((ROOT / f"docs/{page}.md").read_text() for page in ("kubernetes", "runbook", "platforms"))
    named = {*re.findall(rf"(?:`|--set )((?:{roots})\.[A-Za-z]+(?:\.[A-Za-z]+)*)", text)}

    assert named
    assert set() == {name for name in named - known if not name.startswith(maps)}


def test_documents_call_helm_by_options_that_it_has_and_by_none_that_an_older_chart_breaks():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    calls = [
        (verb, option)
        for page in pages
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        for verb, rest in re.findall(
            r"^helm (install|upgrade) (.*)", block.replace("\\\n", " "), re.MULTILINE
        )
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest)
    ]
    known = {
        verb: subprocess.run([HELM, verb, "--help"], check=True, capture_output=True, text=True).stdout
        for verb in ("install", "upgrade")
    }

    assert {"install", "upgrade"} == {verb for verb, _ in calls}
    assert [] == [(verb, option) for verb, option in calls if f" {option} " not in known[verb]]
    # That option keeps the previous chart's defaults, so values that are new in this chart would not exist.
    assert "--reuse-values" not in {option for _, option in calls}


def test_the_plain_manifests_are_for_any_namespace():
    for document in yaml.safe_load_all(MANIFESTS.read_text()):
        assert "namespace" not in document["metadata"]
        assert all("namespace" not in subject for subject in document.get("subjects", ()))


def test_nothing_of_the_plain_manifests_is_in_the_way_of_another_image():
    # The image of a Pod can be changed, and that of every object with a pod template except a Job.
    kinds = {document["kind"] for document in yaml.safe_load_all(MANIFESTS.read_text())}

    assert "Pod" in kinds
    assert "Job" not in kinds


CHANGES = {
    "another image": {"auth": {"image": {"tag": "next"}}, "loadTest": {"image": {"tag": "next"}}},
    "other pods": {"pods": {"nodeSelector": {"pool": "chat"}}},
    "more to do": {"gateway": {"relay": {"enabled": False}}, "loadTest": {"workers": 5}},
}
LOADED = {"enabled": True, "url": "http://traefik.traefik"}


def jobs(values):
    values = {**values, "loadTest": LOADED | values.get("loadTest", {})}
    return {job["metadata"]["name"]: job["spec"] for job in install(values).all("Job")}


@pytest.mark.parametrize("change", CHANGES)
def test_a_job_that_would_change_has_another_name_as_helm_template_knows_one_revision_only(change):
    before, after = jobs({}), jobs(CHANGES[change])

    assert 3 == len(before)
    assert before == jobs({})
    assert {name: before[name] for name in before.keys() & after.keys()} == {
        name: after[name] for name in before.keys() & after.keys()
    }
    assert not [name for name in before.keys() & after.keys() if "secrets" in name]


def test_a_job_of_the_chart_stays_until_its_revision_goes_as_gitops_makes_again_what_vanishes():
    for values in ({}, SIZES["everything"]):
        for job in install(values).all("Job"):
            assert "ttlSecondsAfterFinished" not in job["spec"]


def test_a_label_holds_the_longest_name_of_a_job_after_many_revisions():
    for job in install({"fullnameOverride": "x" * 60, "loadTest": LOADED}).all("Job"):
        assert len(job["metadata"]["name"].replace("-1-", "-99999-")) <= 63


def test_nothing_of_the_chart_but_its_test_is_a_hook_that_helm_waits_for_or_leaves_behind():
    hooks = {
        document["metadata"]["annotations"]["helm.sh/hook"]
        for document in install(SIZES["everything"]).documents
        if "helm.sh/hook" in document["metadata"].get("annotations", {})
    }

    assert {"test"} == hooks


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("size", SIZES)
def test_kubernetes_takes_the_manifests(size, version):
    import kubernetes_validate

    for document in install(SIZES[size]).documents:
        if not document["apiVersion"].startswith(("monitoring.coreos.com/", "gateway.networking.k8s.io/")):
            kubernetes_validate.validate(document, version, strict=True)


def test_the_oldest_kubernetes_that_is_checked_is_the_oldest_that_the_chart_takes():
    assert f">={OLDEST}.0-0" == yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]


def test_checkov_finds_nothing(tmp_path):
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(yaml.safe_dump_all(install(SIZES["everything"]).documents))
    checkov = shutil.which("checkov", path=f"{sys.prefix}/checkov/bin")
    need(checkov, "checkov, which `make chart-test` and `make test` install")
    skips = yaml.safe_load((ROOT / "deploy/helm/checkov.yaml").read_text())
    command = [
        checkov,
        "-f",
        manifests,
        "--framework",
        "kubernetes",
        "--compact",
        "--quiet",
        "--skip-download",
    ]
    scan = subprocess.run(
        [*command, "-o", "json", "--skip-check", ",".join(skips["everywhere"])],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(scan.stdout)
    # A Job's name ends with a digest of its content.
    found = {
        re.sub(r"( Job\..*)-[0-9a-f]{6}$", r"\1", f"{check['check_id']} {check['resource']}")
        for check in report["results"]["failed_checks"]
    }

    assert {*skips["objects"]} == found
    assert report["summary"]["passed"] > 0
    assert all(reason for kind in skips.values() for reason in kind.values())
