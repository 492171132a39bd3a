"""skaffold.yaml names what the chart and the repository have, in the words of Skaffold's schema v4beta13, and what it makes is right."""

import copy
import os
import re

import jsonschema
import kubernetes_validate
import pytest
import yaml
from chart import CHART, ROOT, install

SKAFFOLD = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
CHART_VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
FRONT = ROOT / "deploy" / "dev" / "front.yaml"


def closed(required=(), **properties):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*required],
        "properties": properties,
    }


def listed(item):
    return {"type": "array", "items": item, "minItems": 1}


TEXT = {"type": "string", "minLength": 1}
BUILD = closed(
    ["artifacts"],
    artifacts=listed(
        closed(
            ["image"],
            image=TEXT,
            context=TEXT,
            docker=closed(
                dockerfile=TEXT, buildArgs={"type": "object", "additionalProperties": {"type": "string"}}
            ),
            custom=closed(
                ["buildCommand"],
                buildCommand=TEXT,
                dependencies=closed(paths=listed(TEXT), ignore=listed(TEXT)),
            ),
        )
    ),
    tagPolicy=closed(inputDigest=closed()),
    local=closed(push={"type": "boolean"}),
)
RELEASE = closed(
    ["name"],
    name=TEXT,
    chartPath=TEXT,
    namespace=TEXT,
    createNamespace={"type": "boolean"},
    setValues={"type": "object"},
    setValueTemplates={"type": "object", "additionalProperties": TEXT},
)
FORWARD = closed(
    resourceType={"enum": ["service", "deployment", "pod"]},
    resourceName=TEXT,
    namespace=TEXT,
    port={"type": "integer"},
    localPort={"type": "integer"},
)
PATCH = closed(["path"], op={"enum": ["add", "remove", "replace"]}, path={"pattern": "^/"}, value={})
SCHEMA = closed(
    ["apiVersion", "kind"],
    apiVersion={"const": "skaffold/v4beta13"},
    kind={"const": "Config"},
    metadata=closed(name=TEXT),
    build=BUILD,
    manifests=closed(rawYaml=listed(TEXT)),
    deploy=closed(helm=closed(["releases"], releases=listed(RELEASE)), kubectl=closed(defaultNamespace=TEXT)),
    portForward=listed(FORWARD),
    profiles=listed(closed(["name"], name=TEXT, build=BUILD, patches=listed(PATCH))),
)
"""As much of Skaffold's own schema as this file uses."""


def with_profile(name):
    """Return what Skaffold makes of a profile: its build, and its patches in turn. Their targets have to be there."""
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
    """Return values of `a.b.c` as Helm's `--set` makes them."""
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


def test_it_has_the_words_and_types_of_its_schema(config):
    jsonschema.validate(config, SCHEMA)


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
"""What Skaffold's templates know of an image. With `--digest-source=none` they know nothing, and what is missing would be
rendered as `<no value>`."""
RUN = {
    "pushed": f"registry.test/{{}}@{DIGEST}",
    "kept on the machine": "{}:abc123",
    "--digest-source=none": f"{{}}:{CHART_VERSION}",
}


@pytest.mark.parametrize("case", KNOWN)
def test_pods_run_the_images_that_it_has_built_by_their_digests_if_they_have_one(config, case):
    release = release_of(config)
    built = [artifact["image"] for artifact in config["build"]["artifacts"]]
    names = {image.replace("-", "_"): image for image in built}

    def filled(template):
        # Nothing else is used: what a template says has to be known here.
        instead, kind, name = re.fullmatch(
            r'{{default "([\w-]*)" \.IMAGE_(REPO|TAG|DIGEST)_(\w+)}}', template
        ).groups()
        return KNOWN[case].get(kind, "").format(names[name]) or instead

    values = release["setValues"] | {
        path: filled(template) for path, template in release["setValueTemplates"].items()
    }
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
    (path,) = SKAFFOLD["manifests"]["rawYaml"]
    assert FRONT == ROOT / path
    for part in yaml.safe_load_all(FRONT.read_text()):
        for version in ("1.29", "1.34"):
            kubernetes_validate.validate(part, version, strict=True)
