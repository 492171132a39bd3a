"""What a release consists of, without building it."""

import re
import tomllib

import pytest
import yaml

import build

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
        build.build_images(tmp_path, None)


@pytest.mark.parametrize("package", build.PACKAGES)
def test_a_package_has_the_licence_and_the_metadata_of_all(package):
    folder = build.TOP / "services" / package
    metadata, library = build.project(package), build.project("roomwire")

    assert (build.TOP / "LICENSE").read_bytes() == (folder / "LICENSE").read_bytes()
    for key in ("license", "license-files", "readme", "requires-python", "classifiers"):
        assert library[key] == metadata[key]


@pytest.mark.parametrize("package", build.IMAGES)
def test_a_service_is_of_the_librarys_version(package):
    assert f"roomwire[service]=={build.version()}" in build.project(package)["dependencies"]


def test_what_is_bundled_of_npm_is_in_the_wheels_and_their_bills():
    carried = {
        package
        for package in build.PACKAGES
        if "artifacts"
        in tomllib.loads((build.TOP / "services" / package / "pyproject.toml").read_text())["tool"]["hatch"][
            "build"
        ]["targets"]["wheel"]
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
