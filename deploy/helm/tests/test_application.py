"""Another application than the chat: what gateways serve, and the files beside it."""

import pytest
from chart import install

FILES = {
    "board.py": "\n  indented = '''\n\n\ttab 'a' \"b\" #c\n'''\n\n\n",
    "a-1.toml": "",
    "b_2.json": '{"a": "{{ .Values }}"}\r\n',
    "7.txt": "ä: - |\n no end",
}


def test_the_chart_s_own_test_has_the_files_as_gateways_have_them():
    release = install({"gateway": {"files": FILES}})
    (container,) = release.one("Pod", "chat-roomwire-test")["spec"]["containers"]
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] == "application"]

    assert [mount for mount in gateway(release)["volumeMounts"] if mount["name"] == "application"] == mounts
    assert "/app" == container["workingDir"]


def gateway(release):
    (container,) = release.one("Deployment", "chat-roomwire-gateway")["spec"]["template"]["spec"][
        "containers"
    ]
    return container


def annotations(release):
    return release.one("Deployment", "chat-roomwire-gateway")["spec"]["template"]["metadata"].get(
        "annotations", {}
    )


def test_files_are_found_byte_for_byte():
    assert FILES == install({"gateway": {"files": FILES}}).one("ConfigMap", "chat-roomwire-gateway")["data"]


def test_a_file_of_the_machine_that_runs_helm_is_taken_as_it_is(tmp_path):
    text = "from roomwire import App\n\napp = App()\n"
    (tmp_path / "board.py").write_text(text, encoding="utf-8")

    release = install(
        {},
        "--set-file",
        rf"gateway.files.board\.py={tmp_path / 'board.py'}",
        "--set",
        "gateway.app=board:app",
    )

    assert {"board.py": text} == release.one("ConfigMap", "chat-roomwire-gateway")["data"]
    assert "board:app" == release.environment("chat-roomwire-gateway")["ROOMWIRE_APP"]


def test_gateways_find_each_file_in_their_working_directory_beside_what_their_image_has_there():
    container = gateway(install({"gateway": {"files": FILES}}))
    found = {
        mount["mountPath"]: mount for mount in container["volumeMounts"] if mount["name"] == "application"
    }

    assert "/app" == container["workingDir"]
    assert {f"/app/{name}": name for name in FILES} == {
        path: mount["subPath"] for path, mount in found.items()
    }
    assert all(mount["readOnly"] for mount in found.values())


def test_without_files_an_image_keeps_its_working_directory():
    release = install({"gateway": {"app": "board:app"}})

    assert "workingDir" not in gateway(release)
    assert not [one for one in release.all("ConfigMap") if one["metadata"]["name"] == "chat-roomwire-gateway"]


@pytest.mark.parametrize("other", [{**FILES, "a-1.toml": "a = 1"}, {**FILES, "c.py": ""}, {}])
def test_gateways_are_replaced_when_a_file_changes_and_only_then(other):
    before = annotations(install({"gateway": {"files": FILES}}))
    same = annotations(
        install({"gateway": {"files": dict(reversed(FILES.items()))}, "log": {"level": "debug"}})
    )
    after = annotations(install({"gateway": {"files": other}}))

    assert before == same
    assert before != after
