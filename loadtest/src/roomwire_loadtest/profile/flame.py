"""Where a gateway spends its time under load, as a flame graph.

It starts the local system with one gateway, puts simulated users of `roomwire_loadtest.load` on it, and lets py-spy sample
the gateway from outside, so that the gateway runs as always.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from roomwire_loadtest.load.scenarios import SCENARIOS
from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

LEAST_SAMPLES: Final = 200
"""With fewer samples a share of a tenth could be anything from a twentieth to a sixth."""
VOID: Final = 3
_SAMPLES_PER_S: Final = 500
_WARM_UP_S: Final = 5.0
_END_S: Final = 60.0
_NO_SAMPLES: Final = "No stack counts found"
"""py-spy's error if the process only waited."""


class CannotProfile(Exception):
    """py-spy is missing, or may not inspect another process; the text says what to do."""


def profiler() -> str:
    """Return py-spy's path; raises CannotProfile if it is not installed."""
    beside = Path(sys.executable).parent / "py-spy"
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise CannotProfile("there is no py-spy: `make install` puts it beside Python")
    return found


def record(pid: int, *, seconds: int, out: Path) -> int:
    """Write a flame graph of a process; returns its number of samples. A process that waits gives no samples.

    Args:
        pid: The process, which has to be Python.
        seconds: Duration of the recording.
        out: The SVG file.

    Raises:
        CannotProfile: The process may not be inspected, or has ended.

    """
    command = [profiler(), "record", "--pid", str(pid), "--duration", str(seconds), "--output", str(out)]
    command += ["--rate", str(_SAMPLES_PER_S)]
    # Samples that are late on a busy machine are dropped instead of made up for.
    done = subprocess.run(
        [*command, "--nonblocking"], capture_output=True, text=True, timeout=seconds + _END_S, check=False
    )
    if _NO_SAMPLES in done.stderr:
        return 0
    if done.returncode or not out.exists():
        # The first lines say what failed; a backtrace follows.
        raise CannotProfile(
            f"py-spy: {done.stderr.strip()[:300]} (without root it needs kernel.yama.ptrace_scope=0)"
        )
    found = re.search(r"Samples: (\d+)", done.stdout + done.stderr)
    return int(found[1]) if found else 0


def profile(scenario: str, *, users: int, seconds: int, out: Path) -> int:
    """Put load on one gateway and record it; returns the number of samples.

    Raises:
        CannotProfile: The recording failed (see `record`), or the load ended before it.

    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        local_system(Path(folder), free_port(), GATEWAYS="1", ROOMWIRE_LOG_LEVEL="warning") as system,
    ):
        command = [
            sys.executable,
            "-m",
            "roomwire_loadtest.load",
            "--url",
            system.url,
            "--scenario",
            scenario,
        ]
        command += ["--users", str(users), "--seconds", str(seconds + 2 * _WARM_UP_S), "--out", folder]
        load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(_WARM_UP_S)
            gateway = psutil.Process(system.pid_of("gateway-1"))
            before = gateway.cpu_times()
            samples = record(gateway.pid, seconds=seconds, out=out)
            after = gateway.cpu_times()
            if load.poll() is not None:
                raise CannotProfile(f"the load ended early, with exit code {load.returncode}")
        finally:
            load.kill()
            load.wait()
    used_s = after.user + after.system - before.user - before.system
    print(f"{out}: {samples:,} samples, {used_s:.1f} s of CPU in {seconds} s, {scenario}, {users} users")
    return samples


def main(command_line: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.profile",
        description=__doc__,
        epilog="Exit codes: 0 written, 1 nothing could be recorded, 3 written of too few samples.",
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="chatter")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20, help="how long the gateway is looked at")
    parser.add_argument("--out", type=Path, default=Path("artifacts/profile.svg"))
    arguments = parser.parse_args(command_line)
    try:
        samples = profile(
            arguments.scenario, users=arguments.users, seconds=arguments.seconds, out=arguments.out.absolute()
        )
    except CannotProfile as error:
        print(f"make profile: {error}", file=sys.stderr)
        return 1
    if samples < LEAST_SAMPLES:
        print(
            f"make profile: {samples} samples show little, {LEAST_SAMPLES} would do: the gateway mostly waited. "
            "Send more users (--users), or look for longer (--seconds).",
            file=sys.stderr,
        )
        return VOID
    return 0
