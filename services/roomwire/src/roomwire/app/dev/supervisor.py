"""Keeps one process of the application running, and replaces it when a file has changed.

The ports stay open meanwhile: a client that connects during a restart waits for the next process.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec

from roomwire.app.dev.child import arguments
from roomwire.app.dev.reports import Failed, Report, Serving, decode
from roomwire.app.dev.stage import Scene, Stage
from roomwire.logs import get_logger
from roomwire.serving.listener import Ports

STOP_S: Final = 12.0
"""How long a process may take to stop, in seconds: its lifespan may use ten of them."""
_MAX_REPORT_BYTES: Final = 16_000_000

_log = get_logger(__name__)


class Supervisor:
    """Runs an application in a process, and starts it again after each change.

    Args:
        application: `module:attribute`.
        ports: The ports that it serves; they stay open.
        environ: The environment of its process.
        stage: Shows the state of the application.

    """

    def __init__(self, application: str, ports: Ports, *, environ: Mapping[str, str], stage: Stage) -> None:
        self._application = application
        self._ports = ports
        self._environ = environ
        self._stage = stage

    async def run(self, changes: AsyncIterator[object]) -> None:
        """Run the application until `changes` ends or this task is cancelled. No process is left behind."""
        changed = asyncio.Event()
        listening = asyncio.create_task(_set_by(changes, changed))
        try:
            start = 0
            while not listening.done():
                changed.clear()
                start += 1
                async with self._process(start):
                    await changed.wait()
                    self._stage.show(
                        msgspec.structs.replace(
                            self._stage.scene, phase="starting", sentence="", traceback=""
                        )
                    )
            await listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _process(self, start: int) -> AsyncIterator[None]:
        """Run a process for as long as the context lasts."""
        ours, its = socket.socketpair()
        with its:
            command = arguments(self._application, its.fileno(), self._ports)
            inherited = [its.fileno(), *(each.fileno() for port in self._ports for each in port)]
            process = await asyncio.create_subprocess_exec(*command, env=self._environ, pass_fds=inherited)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_MAX_REPORT_BYTES)
        self._show(Scene(start=start, pid=process.pid, application=self._stage.scene.application))
        following = asyncio.create_task(self._follow(reader, process))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await _stop(process)
            writer.close()

    async def _follow(self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> None:
        """Show the reports of a process, and its end if it ends by itself."""
        has_failed = False
        while line := await reader.readline():
            report = decode(line)
            has_failed = isinstance(report, Failed)
            self._report(report)
        status = await process.wait()
        if not has_failed:
            self._report(Failed(f"the application's process ended with status {status}"))

    def _report(self, report: Report) -> None:
        scene = self._stage.scene
        if isinstance(report, Serving):
            scene = msgspec.structs.replace(scene, phase="serving", application=report.application)
        else:
            scene = msgspec.structs.replace(
                scene, phase="failed", sentence=report.sentence, traceback=report.traceback
            )
        self._show(scene)

    def _show(self, scene: Scene) -> None:
        if scene.phase == "failed":
            _log.error("application failed, waiting for a change", start=scene.start, error=scene.sentence)
        else:
            _log.info(f"application {scene.phase}", start=scene.start, pid=scene.pid)
        self._stage.show(scene)


async def _set_by(changes: AsyncIterator[object], changed: asyncio.Event) -> None:
    try:
        async for _ in changes:
            changed.set()
    finally:
        changed.set()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Stop a process, by force if it does not end in time."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        _log.warning("application does not stop, killed", pid=process.pid, timeout_s=STOP_S)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
