"""The cluster under test: kubectl and helm, and the local cluster tool where there is one beside the checkout."""

import asyncio
import json
import os
import shlex
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

TOP: Final = Path(__file__).resolve().parents[4]
LOCAL_TOOL: Final = TOP.parent / "shared" / "cluster" / "cluster"
_LOCAL_URL: Final = "http://127.0.0.1:18080"
_TIMEOUT_S: Final = 600.0
_UP_S: Final = 1_800.0


class ClusterError(Exception):
    """A command failed; the text contains the command and its output."""


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    text: str = "",
    timeout_s: float = _TIMEOUT_S,
    folder: Path = TOP,
) -> str:
    """Run a command to its end; returns its output.

    Args:
        command: The command.
        env: Its environment.
        text: Its standard input.
        timeout_s: Time limit.
        folder: The working directory.

    Raises:
        ClusterError: It failed, or took too long.

    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(env),
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ClusterError(f"`{' '.join(command)}` does not start: {error}") from error
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(text.encode())
    except TimeoutError:
        raise ClusterError(f"`{' '.join(command)}` took more than {timeout_s:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = (err + out).decode(errors="replace").strip()[-2_000:]
        raise ClusterError(f"`{' '.join(command)}` failed: {said}")
    return out.decode()


class Cluster:
    """A cluster, and a namespace in it.

    Args:
        url: The URL of its ingress.
        namespace: The namespace of the whole test.
        env: The environment of kubectl and helm.
        tool: The local cluster's tool, if it manages this cluster.
        is_ours: Whether the test started the cluster, and stops it.

    """

    def __init__(
        self,
        url: str,
        namespace: str,
        env: Mapping[str, str],
        tool: Path | None = None,
        *,
        is_ours: bool = False,
    ) -> None:
        self.url = url
        self.namespace = namespace
        self.env = env
        self.tool = tool
        self.is_ours = is_ours

    @classmethod
    async def found(cls, environment: Mapping[str, str]) -> "Cluster":
        """Return the cluster that the environment names, or start the local one.

        `E2E_URL` is the URL of the ingress of the cluster that kubectl uses; without it the local cluster's tool
        is used: `E2E_CLUSTER`, or the one beside the checkout. `E2E_NAMESPACE` is the namespace.

        Raises:
            ClusterError: There is neither.

        """
        namespace = environment.get("E2E_NAMESPACE", "roomwire-e2e")
        if url := environment.get("E2E_URL"):
            return cls(url, namespace, environment)
        tool = Path(environment.get("E2E_CLUSTER") or LOCAL_TOOL)
        if not await asyncio.to_thread(tool.exists):
            raise ClusterError(
                "set E2E_URL to the address of the ingress of the cluster that kubectl reaches"
            )
        lines = await run([str(tool), "env"], env=environment)
        env = {**environment, **exported(lines, environment)}
        is_ours = not await _answers(env)
        if is_ours:
            await run([str(tool), "up"], env=environment, timeout_s=_UP_S)
        return cls(_LOCAL_URL, namespace, env, tool, is_ours=is_ours)

    async def down(self) -> None:
        """Stop the local cluster if the test started it; a cluster that was up before is left running."""
        if self.tool is not None and self.is_ours:
            await run([str(self.tool), "down"], env=self.env)

    async def kubectl(self, *arguments: str, text: str = "", timeout_s: float = _TIMEOUT_S) -> str:
        """Run kubectl in the namespace."""
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        return await run(command, env=self.env, text=text, timeout_s=timeout_s)

    async def helm(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> str:
        """Run helm in the namespace."""
        return await run(
            ["helm", "--namespace", self.namespace, *arguments], env=self.env, timeout_s=timeout_s
        )

    async def get(self, *what: str) -> Any:
        """Return objects as kubectl prints them in JSON."""
        return json.loads(await self.kubectl("get", *what, "--output", "json"))

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        """Create or change an object."""
        await self.kubectl("apply", "--filename", "-", text=json.dumps(manifest))

    async def replace(self, manifest: Mapping[str, Any]) -> None:
        """Replace the content of an existing object."""
        await self.kubectl("replace", "--filename", "-", text=json.dumps(manifest))


async def _answers(env: Mapping[str, str]) -> bool:
    """Return whether a cluster is up already."""
    try:
        await run(["kubectl", "get", "--raw", "/readyz", "--request-timeout", "10s"], env=env)
    except ClusterError:
        return False
    return True


def exported(lines: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that shell lines `export NAME=value` set, with variables in the values expanded."""
    found: dict[str, str] = {}
    for word in shlex.split(lines):
        name, is_set, value = word.partition("=")
        if is_set:
            found[name] = string.Template(value).safe_substitute({**environment, **found})
    return found


def from_environment() -> Mapping[str, str]:
    """Return the environment of this process."""
    return dict(os.environ)
