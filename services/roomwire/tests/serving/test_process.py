"""What every service has around it: its command line, its life, its operations port."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
import websockets
from living import FakeApplication, living
from prometheus_client import CollectorRegistry
from pydantic import Field, SecretStr
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from waiting import until

from roomwire.errors import ConfigurationError, Unavailable
from roomwire.metrics.http import HttpMetrics
from roomwire.serving.application import NotYet, State, state_of
from roomwire.serving.listener import SidePort
from roomwire.serving.operations import operations_app
from roomwire.serving.process import START_RETRY_S, _Process, main
from roomwire.serving.settings import ServiceSettings


class Settings(ServiceSettings):
    port: int = Field(0, description="Public port.")
    ops_port: int = Field(0, description="Operations port.")
    key: SecretStr = Field(SecretStr("hunter2"), description="A secret.")


class Lifecycle:
    def __init__(self, state):
        self.state = state


def operations(state, application=None):
    transport = httpx.ASGITransport(operations_app(Lifecycle(state), application or FakeApplication()))
    return httpx.AsyncClient(transport=transport, base_url="http://ops")


@pytest.mark.parametrize(
    ("state", "status"),
    [(State.STARTING, 503), (State.READY, 200), (State.DRAINING, 503), (State.STOPPED, 503)],
)
async def test_only_a_ready_process_is_ready_and_each_is_alive(state, status):
    async with operations(state) as http:
        ready = await http.get("/readyz")

        assert (status, state.value) == (ready.status_code, ready.json()["status"])
        assert 200 == (await http.get("/livez")).status_code


async def test_a_degraded_backplane_is_a_field_and_no_reason_to_be_taken_out():
    application = FakeApplication()
    application.state = "degraded"
    async with operations(State.READY, application) as http:
        answer = await http.get("/readyz")

        assert (200, {"status": "ready", "backplane": "degraded"}) == (answer.status_code, answer.json())


async def test_metrics_are_those_of_the_application():
    async with operations(State.READY) as http:
        answer = await http.get("/metrics")

        assert "visits_total 1.0" in answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/drain"])
async def test_nothing_can_be_changed_on_the_operations_port(path):
    async with operations(State.READY) as http:
        assert (await http.post(path)).status_code in {404, 405}


async def test_a_state_is_ok_or_degraded():
    async def works(): ...

    async def fails():
        raise Unavailable

    assert ["ok", "degraded"] == [await state_of(works), await state_of(fails)]


@pytest.fixture
def settings(free_port_factory):
    return Settings(port=free_port_factory(), ops_port=free_port_factory())


async def test_a_process_lives_from_start_to_close_in_this_order(settings):
    application = FakeApplication()
    application.drained.clear()
    public, ops = (f"http://127.0.0.1:{port}" for port in (settings.port, settings.ops_port))
    async with living(application, settings) as (process, running, http):
        await until(lambda: process.state is State.READY)
        assert "public" == (await http.get(public)).text
        assert 200 == (await http.get(f"{ops}/readyz")).status_code

        os.kill(os.getpid(), signal.SIGTERM)
        await application.draining.wait()
        assert 503 == (await http.get(f"{ops}/readyz")).status_code
        assert "public" == (await http.get(public)).text

        application.drained.set()
        await running
        assert ["start", "drain", "close"] == application.done
        assert State.STOPPED is process.state
        for url in (public, ops):
            with pytest.raises(httpx.ConnectError):
                await http.get(url)


async def test_while_the_start_is_tried_again_the_process_is_alive_but_not_ready(settings, monkeypatch):
    monkeypatch.setattr("roomwire.serving.process.START_RETRY_S", 0.01)
    application = FakeApplication(failures=10**9)
    ops = f"http://127.0.0.1:{settings.ops_port}"
    async with living(application, settings) as (process, _, http):
        await until(lambda: len(application.done) > 3)
        assert (200, 503) == tuple(
            [(await http.get(f"{ops}/{path}")).status_code for path in ("livez", "readyz")]
        )
        application.failures = 0
        await until(lambda: process.state is State.READY)


async def test_a_process_that_is_told_to_stop_while_it_starts_ends(settings):
    application = FakeApplication(failures=10**9)
    async with living(application, settings) as (_, running, _):
        await until(lambda: application.done)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(START_RETRY_S * 5):
            await running
    assert "drain" not in application.done
    assert "close" == application.done[-1]


async def test_an_application_that_waits_is_started_again_after_pauses_that_grow_and_are_logged(
    settings, monkeypatch, log_lines
):
    monkeypatch.setattr("roomwire.serving.process.START_RETRY_S", 0.01)
    monkeypatch.setattr("roomwire.serving.process.MAX_START_RETRY_S", 0.03)

    class Waiting(FakeApplication):
        async def start(self):
            try:
                await super().start()
            except Unavailable as error:
                raise NotYet(error.message) from error

    async with living(Waiting(failures=4), settings) as (process, _, _):
        await until(lambda: process.state is State.READY)

    lines = [line for line in log_lines() if line["event"] == "application waits for what it depends on"]
    assert [0.01, 0.02, 0.03, 0.03] == [line["pause_s"] for line in lines]


async def test_a_start_that_does_not_end_is_given_up_when_the_process_is_told_to_stop(settings):
    class Stuck(FakeApplication):
        async def start(self):
            self.done.append("start")
            try:
                await asyncio.Event().wait()
            finally:
                self.done.append("given up")

    application = Stuck()
    async with living(application, settings) as (_, running, _):
        await until(lambda: application.done)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(60):
            await running
    assert ["start", "given up", "close"] == application.done


async def test_an_exception_at_start_closes_the_application(settings):
    class Broken(FakeApplication):
        async def start(self):
            raise ZeroDivisionError

    application = Broken()
    with pytest.raises(ZeroDivisionError):
        await _Process("tested", settings, application).run()
    assert ["close"] == application.done


async def test_websockets_of_the_application_are_parted_from_over_the_time_of_a_drain(settings):
    parted = []

    async def listen(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        assert "websocket.disconnect" == (await receive())["type"]
        parted.append(scope["path"])

    application = FakeApplication()
    application.asgi = listen
    settings = settings.model_copy(update={"drain_s": 0.4})
    async with living(application, settings) as (process, running, _), contextlib.AsyncExitStack() as stack:
        await until(lambda: process.state is State.READY)
        clients = [
            await stack.enter_async_context(
                websockets.connect(f"ws://127.0.0.1:{settings.port}/{number}", proxy=None)
            )
            for number in range(4)
        ]
        loop = asyncio.get_running_loop()
        began = loop.time()
        process._stop.set()
        ends = []
        for client in clients:
            await client.wait_closed()
            ends.append((client.close_code, loop.time() - began))
        await running

    assert [1001] * 4 == [code for code, _ in ends]
    assert max(at for _, at in ends) >= 0.3
    assert 4 == len(parted)


async def test_while_a_process_drains_its_answers_end_their_connections(settings):
    application = FakeApplication()
    application.drained.clear()
    public = f"http://127.0.0.1:{settings.port}"
    async with living(application, settings) as (process, _, http):
        await until(lambda: process.state is State.READY)
        assert "connection" not in (await http.get(public)).headers
        process._stop.set()
        await application.draining.wait()
        assert "close" == (await http.get(public)).headers["connection"]


async def test_messages_beyond_the_limit_end_the_connection(settings):
    async def echo(_scope, receive, send):
        await send({"type": "websocket.accept"})
        await receive()
        text = (await receive()).get("text", "")
        await send({"type": "websocket.send", "text": text})

    application = FakeApplication()
    application.asgi = echo
    async with living(application, settings.model_copy(update={"max_body_bytes": 1_000})) as (process, *_):
        await until(lambda: process.state is State.READY)
        for size, fits in ((1_000, True), (1_001, False)):
            async with websockets.connect(f"ws://127.0.0.1:{settings.port}", proxy=None) as client:
                await client.send("x" * size)
                if fits:
                    assert "x" * size == await client.recv()
                else:
                    with pytest.raises(websockets.ConnectionClosed):
                        await client.recv()


# The command line.


@pytest.fixture
def run(monkeypatch, capsys):
    for variable in list(os.environ):
        if variable.startswith("ROOMWIRE_"):
            monkeypatch.delenv(variable)

    def command(*argv, build=lambda _: FakeApplication(), commands=None, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(f"ROOMWIRE_{name}", value)
        status = main("tested", settings=Settings, build=build, commands=commands, argv=argv)
        return status, *capsys.readouterr()

    return command


@pytest.mark.parametrize("command", [[], ["run"], ["check-config"]])
def test_a_wrong_value_is_one_sentence_and_status_2(run, command):
    status, out, err = run(*command, PORT="abc")

    assert (2, "") == (status, out)
    assert err.startswith("tested: ROOMWIRE_PORT: ")
    assert 1 == len(err.splitlines())


def test_check_config_prints_what_is_in_force_with_secrets_masked(run):
    status, out, err = run("check-config", REDIS_URL="redis://:hunter2@host/0", PORT="1234")

    assert (0, "") == (status, err)
    assert "ROOMWIRE_PORT=1234\n" in out
    assert "ROOMWIRE_REDIS_URL=redis://********@host/0\n" in out
    assert "ROOMWIRE_KEY=********\n" in out
    assert "hunter2" not in out


def test_check_config_builds_the_application_too(run):
    def build(_):
        raise ConfigurationError("something is missing")

    assert (2, "", "tested: something is missing\n") == run("check-config", build=build)


@pytest.mark.parametrize("field", ["PORT", "OPS_PORT"])
def test_a_taken_port_is_one_sentence_and_status_2(field, tmp_path):
    script = tmp_path / "tested.py"
    script.write_text(
        "import sys\n"
        "from prometheus_client import CollectorRegistry\n"
        "from pydantic import Field\n"
        "from roomwire.serving import process\n"
        "from roomwire.health.dependencies import Dependencies\n"
        "from roomwire.serving.settings import ServiceSettings\n"
        "class Settings(ServiceSettings):\n"
        "    port: int = Field(0, description='.')\n"
        "    ops_port: int = Field(0, description='.')\n"
        "class Application:\n"
        "    registry = CollectorRegistry()\n"
        "    dependencies = Dependencies(registry)\n"
        "    async def close(self): ...\n"
        "sys.exit(process.main('tested', settings=Settings, build=lambda _: Application()))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, script],
            env={f"ROOMWIRE_{field}": port, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert 2 == ended.returncode
    assert (
        f"tested: cannot listen on localhost:{port}: Address already in use; "
        f"choose another port with ROOMWIRE_{field}\n" == ended.stderr
    )


async def test_a_further_port_is_open_until_it_is_closed_and_bounded_like_the_public_one(free_port):
    settings = Settings(port=free_port, max_url_bytes=300)
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("further"))])
    metrics = HttpMetrics(CollectorRegistry(), name="further_refused_total")
    port = SidePort(app, settings, "port", metrics=metrics)
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{free_port}") as http:
        await port.open()
        await port.open()
        assert "further" == (await http.get("/")).text
        assert 414 == (await http.get("/" + "x" * 300)).status_code
        with pytest.raises(ConfigurationError, match="ROOMWIRE_PORT"):
            await SidePort(app, settings, "port", metrics=metrics).open()
        await port.close()
        await port.close()
        with pytest.raises(httpx.ConnectError):
            await http.get("/")


def test_a_command_of_the_services_own_runs_without_settings(run):
    def greet():
        """say hello"""
        print("hello")  # noqa: T201

    assert (0, "hello\n", "") == run("greet", commands={"greet": greet}, PORT="abc")


def test_a_commands_arguments_are_its_functions_parameters(run):
    def greet(name, *, greeting="hello"):
        """say something"""
        print(greeting, name)  # noqa: T201

    commands = {"greet": greet}

    assert (0, "hello Ann\n", "") == run("greet", "Ann", commands=commands)
    assert (0, "bye Ann\n", "") == run("greet", "Ann", "--greeting", "bye", commands=commands)


@pytest.mark.parametrize("arguments", [[], ["Ann", "Ben"], ["Ann", "--to", "Ben"]])
def test_arguments_that_a_command_does_not_take_are_refused(run, arguments):
    with pytest.raises(SystemExit) as ended:
        run("greet", *arguments, commands={"greet": lambda name: None})

    assert 2 == ended.value.code


def test_help_lists_every_setting_with_its_default_and_every_command(run, capsys):
    def greet():
        """say hello"""

    with pytest.raises(SystemExit) as ended:
        run("--help", commands={"greet": greet})

    out = capsys.readouterr().out
    assert 0 == ended.value.code
    for row in Settings.listing():
        assert row.variable in out
        assert row.description in out
    assert "ROOMWIRE_REDIS_URL [redis://127.0.0.1:6379/0]" in out
    assert "say hello" in out


def test_an_unknown_command_is_refused(run):
    with pytest.raises(SystemExit) as ended:
        run("fly")

    assert 2 == ended.value.code
