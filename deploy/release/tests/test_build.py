"""What a release consists of, without building it."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

import build

PROJECTS = sorted(
    path
    for folder in ("services", "deploy", "loadtest")
    for path in (build.TOP / folder).rglob("pyproject.toml")
)
WORKFLOW = build.TOP / ".github" / "workflows" / "release.yml"


def test_packages_and_chart_have_one_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", build.version())


def test_versions_that_differ_are_refused_by_name(monkeypatch):
    real = build.project
    monkeypatch.setattr(
        build, "project", lambda name: {**real(name), "version": "9.9"} if name == "auth" else real(name)
    )

    with pytest.raises(build.ReleaseError, match=r"services/auth 9\.9"):
        build.version()


def test_another_tag_is_refused_and_nothing_is_deleted(tmp_path, capsys):
    (tmp_path / "kept").touch()

    assert 1 == build.main(["--folder", str(tmp_path), "--tag", "v0.0.0"])
    assert f"the tag v0.0.0 is not v{build.version()}" in capsys.readouterr().err
    assert ["kept"] == [path.name for path in tmp_path.iterdir()]


def test_the_time_of_a_build_can_be_given(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    assert "1700000000" == build.epoch()


def test_where_nothing_builds_images_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(
        build.ReleaseError, match="install buildah, podman or docker, or give --without-images"
    ):
        build.build_images(tmp_path)


@pytest.mark.parametrize("package", build.PACKAGES)
def test_a_package_has_the_licence_and_the_metadata_of_all(package):
    folder = build.PACKAGES[package]
    metadata, library = build.project(package), build.project("roomwire")

    assert (build.TOP / "LICENSE").read_bytes() == (folder / "LICENSE").read_bytes()
    for key in ("license", "license-files", "readme", "requires-python", "classifiers"):
        assert library[key] == metadata[key]


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_a_package_takes_each_release_of_its_own_minor_version_of_the_others(path):
    """0.1.3 of one package works with 0.1.4 of another: a fix of one is released without the others."""
    project = tomllib.loads(path.read_text())["project"]
    minor = build.version().rpartition(".")[0]
    lines = [
        *project["dependencies"],
        *(line for extra in project.get("optional-dependencies", {}).values() for line in extra),
    ]
    ours = [Requirement(line) for line in lines if line.startswith("roomwire")]

    assert build.version() == project["version"]
    for needed in ours:
        if needed.name == project["name"]:
            assert not needed.specifier, "an extra of the package itself"
        else:
            assert f"~={minor}.0" == str(needed.specifier), f"{needed} is not every release of {minor}"


@pytest.mark.parametrize("program", ["buildah", "podman", "docker"])
def test_images_are_saved_by_the_program_that_builds_them(programs, tmp_path, program):
    build.build_images(tmp_path, [str(programs / program), "build"])

    # Each image is built, and then written to a file.
    assert [program] * (2 * len(build.IMAGES)) == [
        line.split()[0] for line in (programs / "ran").read_text().splitlines()
    ]


def test_images_may_be_where_another_program_finds_them(programs, tmp_path):
    build.build_images(
        tmp_path, [str(programs / "cluster"), "build"], [str(programs / "buildah"), "--root", "there"]
    )

    ran = (programs / "ran").read_text().splitlines()
    assert ["cluster", "buildah"] * len(build.IMAGES) == [line.split()[0] for line in ran]
    assert all(line.startswith("buildah --root there push localhost/roomwire-") for line in ran[1::2])


def test_a_program_whose_images_cannot_be_saved_is_refused_before_anything_is_built(programs, tmp_path):
    with pytest.raises(build.ReleaseError, match="how cluster writes an image to a file is not known"):
        build.build_images(tmp_path, [str(programs / "cluster"), "build"])
    assert not (programs / "ran").exists()


@pytest.fixture
def programs(tmp_path, starts_servers):
    """Programs that record how they are started, first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("buildah", "podman", "docker", "cluster"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {folder}/ran\n')
        program.chmod(0o755)
    return folder


def test_what_is_bundled_of_npm_is_in_the_wheels_and_their_bills():
    carried = {
        package
        for package in build.PACKAGES
        if "artifacts"
        in tomllib.loads((build.PACKAGES[package] / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
            "targets"
        ]["wheel"]
    }

    assert carried == {*build.BUNDLED}


def test_the_workflow_publishes_all_that_is_built():
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    commands = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])

    for service in build.IMAGES:
        assert re.search(rf"for service in .*\b{service}\b", commands)
    for line in (
        "make release RELEASE=",
        "make release-test",
        "make matrix",
        "dist/*.whl dist/*.tar.gz",
        "helm push",
    ):
        assert line in commands
    assert {"packages", "images"} == {*jobs["page"]["needs"]}
    assert all(jobs[name]["needs"] == "attest" for name in ("packages", "images"))
