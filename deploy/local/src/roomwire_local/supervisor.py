"""Keeps the processes of a plan running, with Circus: starts them in order, restarts any that die, stops them all.

A gateway that is killed comes back, as a pod would; `restart` replaces processes on request. Ctrl-C, SIGTERM and
`make down` stop the ingress first and the database last; no process is left running.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import circus
import circus.client
import circus.exc
import httpx
import psutil
import redis.asyncio
from tornado.ioloop import IOLoop

from roomwire_local.plan import Plan, Process, state_folder

READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
_GRACE_S: Final = 8
_POLL_S: Final = 0.1
_OF_THE_INGRESS: Final = frozenset(
    (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)
)
"""The statuses that the ingress answers while no gateway is ready."""
_COLORS: Final = (36, 33, 32, 35, 34, 31)


class SupervisorError(Exception):
    """The system did not start, or did not stop; the message says which part."""


class PrefixedLines:
    """Prints each line of a process's output behind the process's name; a Circus output stream."""

    def __init__(self, name: str, width: int, color: int) -> None:
        prefix = f"{name:<{width}} | "
        self._prefix = f"\x1b[{color}m{prefix}\x1b[0m" if sys.stdout.isatty() else prefix
        self._rest = ""

    def __call__(self, chunk: Mapping[str, Any]) -> None:
        """Accept a piece of output from Circus."""
        data = chunk["data"]
        text = self._rest + (data.decode(errors="replace") if isinstance(data, bytes) else data)
        *lines, self._rest = text.split("\n")
        for line in lines:
            print(f"{self._prefix}{line}", flush=True)

    def close(self) -> None:
        """Print the last line if it has no line end."""
        if self._rest:
            print(f"{self._prefix}{self._rest}", flush=True)
            self._rest = ""


async def run(plan: Plan) -> None:
    """Run the system until a signal; returns when every process has ended.

    Raises:
        SupervisorError: A process did not become ready; everything has been stopped again.

    """
    pid_file, control_file = plan.state / "pid", plan.state / "control.json"
    pid_file.write_text(str(os.getpid()), encoding="utf-8")
    sockets = tempfile.mkdtemp(prefix="roomwire-")
    control_file.write_text(_control(plan, sockets), encoding="utf-8")
    arbiter = circus.get_arbiter(
        _watchers(plan),
        controller=_endpoint(sockets),
        pubsub_endpoint=f"ipc://{sockets}/events",
        loop=IOLoop.current(),
        check_delay=0.5,
    )
    for watcher, process in zip(arbiter.watchers, plan.processes, strict=True):
        # Circus replaces `$NAME` in an environment that it is given with the watchers; a password's hash may contain that.
        watcher.env = dict(process.env)
    stopping = asyncio.Event()
    try:
        await arbiter.start()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(signum, stopping.set)
        if await _wait_until_ready(plan, arbiter, stopping):
            for process in plan.processes:
                arbiter.get_watcher(process.name).respawn = True
            print(_banner(plan), flush=True)
            await stopping.wait()
    finally:
        # Circus' periodic check of its watchers would collide with stopping them one by one.
        arbiter.ctrl.caller.stop()
        for process in reversed(plan.processes):
            await arbiter.get_watcher(process.name).stop()
        await arbiter.stop()
        arbiter.stop_controller_and_close_sockets()
        shutil.rmtree(sockets, ignore_errors=True)
        control_file.unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)
    print("stopped", flush=True)


def stop(root: Path, environ: Mapping[str, str]) -> None:
    """Stop the system on `PORT` that another terminal runs; returns when it has ended.

    Raises:
        SupervisorError: The system does not end.

    """
    pid_file = state_folder(root, int(environ.get("PORT") or 3000)) / "pid"
    try:
        process = psutil.Process(int(pid_file.read_text(encoding="utf-8")))
        ours = __package__ in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        ours = False
    if not ours:
        print("nothing is running there")
        return
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        raise SupervisorError(f"process {process.pid} does not end within {STOP_TIMEOUT_S:.0f} s") from None
    print("stopped")


@dataclass(frozen=True)
class Restarted:
    """A process that was replaced: the process ids before and after."""

    name: str
    before: int
    after: int


def restart(root: Path, environ: Mapping[str, str], names: Sequence[str]) -> list[Restarted]:
    """Replace processes of the system on `PORT` one after another, stopping each as a pod would be; waits until each is ready.

    Args:
        root: The folder whose `.local/` holds its data.
        environ: The environment; `PORT` selects the system.
        names: Names of the processes, as in the banner. Default: all gateways.

    Raises:
        SupervisorError: There is no such system or process, or the process does not become ready again.

    """
    control_file = state_folder(root, int(environ.get("PORT") or 3000)) / "control.json"
    try:
        control = json.loads(control_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SupervisorError("nothing is running there") from None
    ready: dict[str, str] = control["ready"]
    if unknown := [name for name in names if name not in ready]:
        raise SupervisorError(f"{', '.join(unknown)}: not among {', '.join(ready)}")
    client = circus.client.CircusClient(endpoint=control["endpoint"], timeout=STOP_TIMEOUT_S)
    try:
        wanted = names or [name for name in ready if name.startswith("gateway-")]
        return [_exchange(client, name, ready[name]) for name in wanted]
    except circus.exc.CallError as error:
        raise SupervisorError(f"the supervisor does not answer: {error}") from None
    finally:
        client.stop()


def _exchange(client: Any, name: str, ready: str) -> Restarted:
    before = _pid(client, name)
    client.send_message("restart", name=name, waiting=True)
    deadline = time.monotonic() + READY_TIMEOUT_S
    with httpx.Client(trust_env=False, timeout=2.0) as http:
        while not _answers_now(http, ready):
            if time.monotonic() > deadline:
                raise SupervisorError(f"{name} was not ready {READY_TIMEOUT_S:.0f} s after its restart")
            time.sleep(_POLL_S)
    return Restarted(name, before, _pid(client, name))


def _pid(client: Any, name: str) -> int:
    pids = client.send_message("list", name=name)["pids"]
    if not pids:
        raise SupervisorError(f"{name} does not run")
    return int(pids[0])


def _answers_now(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _endpoint(sockets: str) -> str:
    return f"ipc://{sockets}/control"


def _control(plan: Plan, sockets: str) -> str:
    """Return what `restart` needs; the database is left out, because its URL is a secret."""
    ready = {process.name: process.ready for process in plan.processes if process.ready.startswith("http")}
    return json.dumps({"endpoint": _endpoint(sockets), "ready": ready})


def _watchers(plan: Plan) -> list[dict[str, Any]]:
    width = max(len(process.name) for process in plan.processes)
    watchers = []
    for number, process in enumerate(plan.processes):
        lines = PrefixedLines(process.name, width, _COLORS[number % len(_COLORS)])
        watchers.append(
            {
                "name": process.name,
                "cmd": process.command[0],
                "args": list(process.command[1:]),
                "env": dict(process.env),
                "priority": len(plan.processes) - number,
                "graceful_timeout": _GRACE_S,
                # A process that dies before it is ready would die again, so it is restarted only after it has been ready.
                "respawn": False,
                "stdout_stream": {"stream": lines},
                "stderr_stream": {"stream": lines},
                "close_child_stdin": True,
            }
        )
    return watchers


async def _wait_until_ready(plan: Plan, arbiter: Any, stopping: asyncio.Event) -> bool:
    """Return True once every process is ready; False if the system is stopped meanwhile."""
    deadline = asyncio.get_running_loop().time() + READY_TIMEOUT_S
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
        for process in plan.processes:
            while not await _is_ready(process, http):
                if stopping.is_set():
                    return False
                if arbiter.get_watcher(process.name).is_stopped():
                    raise SupervisorError(f"{process.name} ends at once: its lines above say why")
                if asyncio.get_running_loop().time() > deadline:
                    raise SupervisorError(
                        f"{process.name} was not ready after {READY_TIMEOUT_S:.0f} s: see its lines above"
                    )
                await asyncio.sleep(_POLL_S)
        url = f"http://127.0.0.1:{plan.port}"
        # The ingress learns from its health checks that the gateways are ready.
        while not (stopping.is_set() or await _leads_on(http, f"{url}/")):
            await asyncio.sleep(_POLL_S)
    return not stopping.is_set()


async def _is_ready(process: Process, http: httpx.AsyncClient) -> bool:
    if not process.ready.startswith("http"):
        return await _redis_answers(process.ready)
    return await _answers(http, process.ready)


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def _leads_on(http: httpx.AsyncClient, url: str) -> bool:
    """Return whether the ingress reaches a gateway, whatever the answer is: an application need not have a page."""
    try:
        return (await http.get(url)).status_code not in _OF_THE_INGRESS
    except httpx.HTTPError:
        return False


async def _redis_answers(url: str) -> bool:
    async with redis.asyncio.Redis.from_url(url, socket_timeout=1.0) as client:
        try:
            return bool(await client.ping())
        except (redis.RedisError, OSError):
            return False


def _banner(plan: Plan) -> str:
    rows = [f"  {process.name:<11} {process.where}" for process in plan.processes]
    rows += [f"  {note}" for note in plan.notes]
    return "\n".join(
        ["", f"  Roomwire is up: http://localhost:{plan.port}", "", *rows, "", "  Ctrl-C stops it.", ""]
    )
