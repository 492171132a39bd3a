"""`python -m roomwire_loadtest.soak`: run the local system with users connecting and disconnecting, and report by the exit code whether anything grew."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from roomwire_loadtest.soak.samples import ALLOWED, Sampler
from roomwire_loadtest.soak.trend import Trend, trend
from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

_SAMPLES: Final = 120
_END_S: Final = 60.0
_SETTLE_S: Final = 5.0
WARM_UP_S: Final = 180.0
"""Redis keeps what users leave behind (sessions, message ids) for two minutes, and its keys have to grow until then."""
LEAST_S: Final = 300.0
"""A shorter run shows too little after the warm-up, so it is void."""
VOID: Final = 3


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.soak",
        description="Exit codes: 0 nothing grew, 1 something grew or the load was not served, 3 void.",
    )
    parser.add_argument("--seconds", type=float, default=600.0, help=f"how long. Below {LEAST_S:g}: void")
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("artifacts/soak"), help="folder of the report")
    arguments = parser.parse_args()
    if not arguments.seconds > _SETTLE_S:
        parser.error(f"--seconds: more than {_SETTLE_S:g}")
    return arguments


def _run(seconds: float, users: int, out: Path) -> tuple[dict[str, Trend], int]:
    """Return the trend of each series, and the exit code of the load."""
    with (
        tempfile.TemporaryDirectory() as folder,
        local_system(Path(folder), free_port(), ROOMWIRE_LOG_LEVEL="warning") as system,
    ):
        command = [sys.executable, "-m", "roomwire_loadtest.load", "--scenario", "storm", "--url", system.url]
        command += ["--users", str(users), "--seconds", str(seconds), "--out", str(out / "load")]
        sampler = Sampler(system)
        load = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)
        try:
            # No user leaves before the end: growth would be hidden when users and their data disappear.
            end = time.monotonic() + seconds - _SETTLE_S
            while time.monotonic() < end and load.poll() is None:
                sampler.look()
                time.sleep(seconds / _SAMPLES)
            code = load.wait(_END_S)
        finally:
            load.kill()
            load.wait()
            sampler.close()
    return {
        name: trend(series, warm_up_s=WARM_UP_S, allowance=ALLOWED[name.partition(".")[2]])
        for name, series in sampler.series.items()
        if seconds >= LEAST_S
    }, code


def main() -> int:
    """Run, judge and report; returns the exit code."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    trends, code = _run(arguments.seconds, arguments.users, arguments.out)
    growing = sorted(name for name, found in trends.items() if found.is_growing)
    report = {
        "seconds": arguments.seconds,
        "users": arguments.users,
        "growing": growing,
        "load": code,
        "trends": {name: asdict(found) for name, found in trends.items()},
    }
    (arguments.out / "soak.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for name, found in sorted(trends.items()):
        mark = "GROWS" if found.is_growing else "ok"
        print(f"{mark:5} {name:24} {found.growth:+14.1f}, {found.allowed:.1f} allowed")
    print(f"load: exit code {code}")
    if not trends:
        print(f"VOID: in less than {LEAST_S:g} s nothing is seen to grow. Run longer: --seconds.")
        return code or VOID
    return 1 if growing else code


if __name__ == "__main__":
    sys.exit(main())
