"""skaffold.yaml names what the chart and the repository have, in the words of Skaffold's schema v4beta13."""

import copy
import re

import jsonschema
import pytest
import yaml
from chart import CHART, ROOT, install

SKAFFOLD = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


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
        )
    ),
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
    deploy=closed(helm=closed(["releases"], releases=listed(RELEASE))),
    portForward=listed(FORWARD),
    profiles=listed(closed(["name"], name=TEXT, patches=listed(PATCH))),
)
"""As much of Skaffold's own schema as this file uses."""


def with_profile(name):
    """Return what Skaffold makes of a profile: its patches applied in turn. Their targets have to be there."""
    config = copy.deepcopy(SKAFFOLD)
    (profile,) = [one for one in config.pop("profiles") if one["name"] == name]
    for patch in profile["patches"]:
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


def test_pods_run_the_images_that_it_has_built(config):
    release = release_of(config)
    built = {
        artifact["image"]: f"registry.test/{artifact['image']}" for artifact in config["build"]["artifacts"]
    }

    def filled(template):
        kind, image = re.fullmatch(r"{{\.IMAGE_(REPO|TAG)_(\w+)}}", template).groups()
        return built[image.replace("_", "-")] if kind == "REPO" else "abc123"

    values = release["setValues"] | {
        path: filled(template) for path, template in release["setValueTemplates"].items()
    }
    made = install(nested(values), release=release["name"], namespace=release["namespace"])

    assert {f"{repository}:abc123" for repository in built.values()} == {
        container["image"]
        for deployment in made.all("Deployment")
        for container in deployment["spec"]["template"]["spec"]["containers"]
    }
    assert (ROOT / release["chartPath"]).resolve() == CHART.resolve()


def test_the_load_profile_starts_four_gateways_that_let_everybody_in():
    assert {"gateway.replicas": 4, "gateway.authMode": "optional"}.items() <= release_of(
        with_profile("load")
    )["setValues"].items()


def test_it_forwards_ports_of_services_that_there_are():
    release = release_of(SKAFFOLD)
    services = {
        service["metadata"]["name"]: service for service in install(release=release["name"]).all("Service")
    }
    forwards = SKAFFOLD["portForward"]

    for forward in forwards:
        ports = [port["port"] for port in services[forward["resourceName"]]["spec"]["ports"]]
        assert forward["port"] in ports
        assert release["namespace"] == forward["namespace"]
    assert len(forwards) == len({forward["localPort"] for forward in forwards})
