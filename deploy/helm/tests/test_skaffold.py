"""What skaffold.yaml refers to: the images that pods run, the files that builds watch, the forwarded port.

Go's own text/template (`skaffold.go`) fills its templates, as in Skaffold, and Helm renders the values. Skaffold itself
does not run here, so the test does not check whether it knows every field of the file; `skaffold diagnose` does, with a
registry at hand. `with_profile` applies profiles in a few lines, and the variables of an image are those of `KNOWN`, as
Skaffold 2.16 sets them.
"""

import copy
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from chart import CHART, ROOT, install
from needs import need

SKAFFOLD = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
CHART_VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
FILLER = ROOT / "deploy" / "helm" / "tests" / "skaffold.go"
FRONT = ROOT / "deploy" / "dev" / "front.yaml"


def with_profile(name):
    """Return the build and the patches of a profile, as Skaffold applies it. The targets of patches must exist."""
    config = copy.deepcopy(SKAFFOLD)
    (profile,) = [one for one in config.pop("profiles") if one["name"] == name]
    config["build"] |= profile.get("build", {})
    for patch in profile.get("patches", []):
        *parents, last = patch["path"].strip("/").split("/")
        level = config
        for step in parents:
            level = level[int(step) if isinstance(level, list) else step]
        assert "add" == patch["op"]
        assert last not in level
        level[last] = patch["value"]
    return config


def profiles():
    return [profile["name"] for profile in SKAFFOLD["profiles"]]


def nested(flat):
    """Return nested values for keys such as `a.b.c`, as Helm's `--set` makes them."""
    values = {}
    for path, value in flat.items():
        *parents, last = path.split(".")
        level = values
        for name in parents:
            level = level.setdefault(name, {})
        level[last] = value
    return values


def release_of(config):
    (release,) = config["deploy"]["helm"]["releases"]
    return release


@pytest.fixture(params=[None, *profiles()], ids=str)
def config(request):
    return SKAFFOLD if request.param is None else with_profile(request.param)


def test_it_builds_the_services_images_by_dockerfiles_that_are_there():
    built = {artifact["image"]: artifact for artifact in SKAFFOLD["build"]["artifacts"]}

    assert {f"roomwire-{service}" for service in ("gateway", "auth")} == {*built}
    for image, artifact in built.items():
        assert "." == artifact["context"]
        assert f"services/{image.removeprefix('roomwire-')}/Dockerfile" == artifact["docker"]["dockerfile"]
        dockerfile = (ROOT / artifact["docker"]["dockerfile"]).read_text()
        taken = {*re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE)}
        assert {"PYTHON_IMAGE", "VERSION", "REVISION"} == taken
        assert {*artifact["docker"].get("buildArgs", ())} <= taken


DIGEST = f"sha256:{'ab' * 32}"
KNOWN = {
    "pushed": {"REPO": "registry.test/{}", "TAG": "abc123", "DIGEST": DIGEST},
    "kept on the machine": {"REPO": "{}", "TAG": "abc123", "DIGEST": ""},
    "--digest-source=none": {},
}
"""The variables that Skaffold's templates know about an image. With `--digest-source=none` they know none, and a missing
variable would be rendered as `<no value>`."""
RUN = {
    "pushed": f"registry.test/{{}}@{DIGEST}",
    "kept on the machine": "{}:abc123",
    "--digest-source=none": f"{{}}:{CHART_VERSION}",
}


@pytest.fixture(scope="module")
def filler(tmp_path_factory):
    """The program that fills templates; None without Go."""
    go = shutil.which("go")
    if go is None:
        return None
    program = tmp_path_factory.mktemp("filler") / "fill"
    subprocess.run([go, "build", "-o", program, FILLER], check=True, env=os.environ | {"GO111MODULE": "off"})
    return program


@pytest.fixture
def fill(filler):
    """Return a function that fills templates with known variables."""
    need(filler, "Go, by which templates are filled as Skaffold does")

    def with_known(templates, known):
        asked = json.dumps({"templates": templates, "known": known})
        done = subprocess.run([filler], input=asked, check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    return with_known


def test_templates_are_filled_as_go_does_where_something_is_missing(fill):
    templates = {"bare": "{{.A}}", "instead": '{{default "b" .A}}'}

    assert {"bare": "<no value>", "instead": "b"} == fill(templates, {})
    assert {"bare": "a", "instead": "a"} == fill(templates, {"A": "a"})


@pytest.mark.parametrize("case", KNOWN)
def test_pods_run_the_images_that_it_has_built_by_their_digests_if_they_have_one(config, fill, case):
    release = release_of(config)
    built = [artifact["image"] for artifact in config["build"]["artifacts"]]
    known = {
        f"IMAGE_{kind}_{image.replace('-', '_')}": text.format(image)
        for image in built
        for kind, text in KNOWN[case].items()
    }
    values = release["setValues"] | fill(release["setValueTemplates"], known)
    made = install(nested(values), release=release["name"], namespace=release["namespace"])

    assert {RUN[case].format(image) for image in built} == {
        container["image"]
        for deployment in made.all("Deployment")
        for container in deployment["spec"]["template"]["spec"]["containers"]
    }
    assert (ROOT / release["chartPath"]).resolve() == CHART.resolve()


def test_images_are_built_without_docker_by_a_script_and_what_is_copied_into_them_is_watched():
    for artifact in with_profile("buildah")["build"]["artifacts"]:
        script, dockerfile = artifact["custom"]["buildCommand"].split()
        assert os.access(ROOT / script, os.X_OK)
        copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / dockerfile).read_text(), re.MULTILINE)
        watched = artifact["custom"]["dependencies"]["paths"]
        assert [] == [
            path
            for path in " ".join(copied).split()
            if not any(path == one or path.startswith(f"{one}/") for one in watched)
        ]


def test_the_load_profile_starts_four_gateways_that_let_everybody_in():
    assert {"gateway.replicas": 4, "gateway.authMode": "optional"}.items() <= release_of(
        with_profile("load")
    )["setValues"].items()


def test_it_forwards_one_port_to_a_front_that_leads_to_the_services_of_the_chart():
    release = release_of(SKAFFOLD)
    services = {
        service["metadata"]["name"]: service for service in install(release=release["name"]).all("Service")
    }
    (forward,) = SKAFFOLD["portForward"]
    parts = {part["kind"]: part for part in yaml.safe_load_all(FRONT.read_text())}
    routes = yaml.safe_load(parts["ConfigMap"]["data"]["routes.yml"])["http"]

    assert (parts["Service"]["metadata"]["name"], release["namespace"]) == (
        forward["resourceName"],
        forward["namespace"],
    )
    assert release["namespace"] == SKAFFOLD["deploy"]["kubectl"]["defaultNamespace"]
    assert forward["port"] in [port["port"] for port in parts["Service"]["spec"]["ports"]]
    assert {"auth": ["http://roomwire-auth"], "gateways": ["http://roomwire-gateway"]} == {
        name: [server["url"] for server in service["loadBalancer"]["servers"]]
        for name, service in routes["services"].items()
    }
    for name in ("roomwire-auth", "roomwire-gateway"):
        assert 80 in [port["port"] for port in services[name]["spec"]["ports"]]


def test_the_front_is_made_of_valid_objects():
    import kubernetes_validate

    (path,) = SKAFFOLD["manifests"]["rawYaml"]
    assert FRONT == ROOT / path
    for part in yaml.safe_load_all(FRONT.read_text()):
        for version in ("1.29", "1.34"):
            kubernetes_validate.validate(part, version, strict=True)
