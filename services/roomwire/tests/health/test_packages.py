"""What is relied on of other packages: a release that moves it is refused by a sentence, when the library is imported."""

import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

from roomwire.errors import ConfigurationError
from roomwire.health.packages import Foreign
from roomwire.protocol.reader import WEBSOCKETS
from roomwire.server.drop_in import ENGINEIO, SOCKETIO
from roomwire.serving.uvicorn_names import UVICORN

ALL = pytest.mark.parametrize("foreign", [SOCKETIO, ENGINEIO, UVICORN, WEBSOCKETS], ids=lambda it: it.package)
LIBRARY = Path(__file__).parents[2]


@pytest.fixture
def installed(monkeypatch):
    """Have a package be of another version than it is."""
    return lambda version: monkeypatch.setattr("importlib.metadata.version", lambda _: version)


def made(**changes):
    return Foreign(
        package="it", oldest="1.2", newest="1.4", names={"json.JSONEncoder": ("encode",)}
    )._replace(**changes)


def warned_by(foreign):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        foreign.check()
    return [(one.category, str(one.message)) for one in caught]


@ALL
def test_what_is_installed_here_has_every_name_and_is_tested(foreign):
    assert [] == warned_by(foreign)


@ALL
def test_a_name_that_is_gone_is_refused_with_package_version_and_name(foreign, installed):
    installed(f"{foreign.newest}.9")
    owner = next(iter(foreign.names))

    with pytest.raises(ConfigurationError) as refused:
        foreign._replace(names={owner: ("_gone",)}).check()

    assert (
        f"{foreign.package} {foreign.newest}.9 has no {owner}._gone, which Roomwire relies on: "
        f"install a release from {foreign.oldest} to {foreign.newest}." == str(refused.value)
    )


def test_an_owner_that_is_gone_lacks_its_names(installed):
    installed("1.4")
    for owner in ("json.Gone", "json.gone.Gone", "gone_package.Gone"):
        with pytest.raises(ConfigurationError, match=rf"^it 1\.4 has no {owner}\.encode, "):
            made(names={owner: ("encode",)}).check()


def test_what_init_sets_is_a_name_of_a_class(installed):
    installed("1.4")

    assert [] == warned_by(made(names={"json.JSONEncoder": ("skipkeys",)}))


@pytest.mark.parametrize("version", ["1.2", "1.2.0", "1.3.7", "1.4.99", "1.4rc1"])
def test_a_release_of_the_range_is_taken_in_silence(version, installed):
    installed(version)

    assert [] == warned_by(made())


@pytest.mark.parametrize("version", ["1.1.9", "1.5.0", "1.10", "2.0", "0.9", "unknown"])
def test_a_release_outside_the_range_is_a_warning(version, installed):
    installed(version)

    assert [
        (
            RuntimeWarning,
            (
                f"it {version} is not among the releases that Roomwire is tested with, 1.2 to 1.4: "
                "it has every name that Roomwire relies on, but may behave differently."
            ),
        )
    ] == warned_by(made())


@pytest.mark.parametrize("version", ["1.1.9", "unknown"])
def test_a_release_before_the_range_that_lacks_a_name_is_refused(version, installed):
    installed(version)

    with pytest.raises(ConfigurationError, match="nothing_like_it"):
        made(names={"json.JSONEncoder": ("nothing_like_it",)}).check()


@pytest.mark.parametrize(("version", "is_refused"), [("1.2.5", False), ("1.3.0", True), ("1.4.0", True)])
def test_a_newer_name_is_asked_for_since_the_release_that_has_brought_it(version, is_refused, installed):
    installed(version)
    foreign = made(names={"json.JSONEncoder": ("_gone",)}, since={"_gone": "1.3"})

    if is_refused:
        with pytest.raises(ConfigurationError):
            foreign.check()
    else:
        assert [] == warned_by(foreign)


def test_a_package_that_is_not_installed_is_said_to_be_missing():
    with pytest.raises(ConfigurationError, match=r"^roomwire-nowhere is not installed"):
        made(package="roomwire-nowhere").check()


@pytest.mark.parametrize(
    ("broken", "module", "sentence"),
    [
        ("socketio.AsyncServer._handle_connect", "roomwire.server", r"python-socketio \S+ has no socketio"),
        ("engineio.AsyncServer.handle_request", "roomwire.server", r"python-engineio \S+ has no engineio"),
        ("websockets.frames.apply_mask", "roomwire.protocol.reader", r"websockets \S+ has no websockets"),
        (
            "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol.shutdown",
            "roomwire.serving.http",
            r"uvicorn \S+ has no uvicorn",
        ),
    ],
)
def test_the_import_fails_where_a_name_is_gone(broken, module, sentence):
    owner, _, name = broken.rpartition(".")
    code = f"import pkgutil; delattr(pkgutil.resolve_name({owner!r}), {name!r}); import {module}"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    last = done.stderr.splitlines()[-1]
    assert re.match(rf"roomwire\.errors\.PackageUnfit: {sentence}\S*\.{name}, which Roomwire", last)


def test_a_release_that_is_too_new_is_said_once():
    code = (
        "import importlib.metadata as m; real = m.version\n"
        "m.version = lambda name: '99.0' if name == 'websockets' else real(name)\n"
        "import roomwire.protocol.reader, roomwire.server\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert 1 == done.stderr.count("RuntimeWarning: websockets 99.0 is not among the releases")


@ALL
def test_the_tested_range_begins_where_the_metadata_begins(foreign):
    project = tomllib.loads((LIBRARY / "pyproject.toml").read_text())["project"]
    ranges = [*project["dependencies"], *project["optional-dependencies"]["service"]]
    (found,) = [line for line in ranges if line.startswith(foreign.package + ">=")]
    oldest = re.search(r">=(\d+\.\d+)", found)[1]

    assert foreign.oldest == oldest
    assert re.search(r",<\d+$", found), "what a next major release does is not known"
