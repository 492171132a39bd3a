"""skaffold.yaml names what the chart and the repository have."""

import re

import yaml
from chart import CHART, ROOT, install

SKAFFOLD = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def at(path):
    level = VALUES
    for name in path.split("."):
        level = level[name]
    return level


def test_it_builds_the_chart_s_images():
    built = {artifact["image"]: artifact for artifact in SKAFFOLD["build"]["artifacts"]}

    assert {VALUES["gateway"]["image"]["repository"], VALUES["auth"]["image"]["repository"]} == {*built}
    for image, artifact in built.items():
        assert "." == artifact["context"]
        assert f"services/{image.removeprefix('roomwire-')}/Dockerfile" == artifact["docker"]["dockerfile"]


def test_it_sets_values_that_the_chart_has():
    (release,) = SKAFFOLD["deploy"]["helm"]["releases"]
    profiles = [
        patch["path"].rpartition("/")[2] for profile in SKAFFOLD["profiles"] for patch in profile["patches"]
    ]
    variables = re.findall(r"IMAGE_\w+?_(roomwire_\w+)}}", str(release["setValueTemplates"]))

    for path in (*release["setValues"], *release["setValueTemplates"], *profiles):
        at(path)
    assert {"roomwire_gateway", "roomwire_auth"} == {*variables}
    assert (ROOT / release["chartPath"] / "Chart.yaml").is_file()


def test_it_forwards_ports_of_services_that_there_are():
    services = {
        service["metadata"]["name"]: service for service in install(release="roomwire").all("Service")
    }

    for forward in SKAFFOLD["portForward"]:
        ports = [port["port"] for port in services[forward["resourceName"]]["spec"]["ports"]]
        assert forward["port"] in ports
