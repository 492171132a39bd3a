"""Plain locust with our locustfile, as its users start it: `locust -f loadtest/locustfile.py …`."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

LOADTEST = Path(__file__).resolve().parents[1]
END_S = 110


def locust(*arguments: object, **environ: str) -> "subprocess.Popen[str]":
    """Start locust with nothing but what its users give it; the folder of the file is all that Python finds beside packages."""
    command = [
        Path(sys.executable).with_name("locust"),
        "-f",
        LOADTEST / "locustfile.py",
        "--skip-log",
        *arguments,
    ]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [str(part) for part in command],
        env=clean | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for the end; returns the exit code and what was written."""
    try:
        output, errors = process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in errors, errors
    return process.returncode, output


def stop(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Ask for the end, as Ctrl-C does, and wait for it."""
    process.terminate()
    return end(process)


def seen(prefix: Path) -> dict[str, int]:
    """Return how often each thing was done until now, from what `--csv` writes each second."""
    try:
        lines = prefix.with_name(f"{prefix.name}_stats.csv").read_text("utf-8").splitlines()
        return {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(lines)}
    except (FileNotFoundError, TypeError, KeyError):
        # Not written yet, or just being written.
        return {}


def counts(output: str) -> dict[str, tuple[int, int]]:
    """Return how often each thing was done and how often it failed, from the output of `--json`."""
    # Forked workers have an empty list each, before the master's.
    all_ = json.loads(output[output.rindex("\n[\n") :] if "\n[\n" in output else output)
    return {one["name"]: (one["num_requests"], one["num_failures"]) for one in all_}


def page(url: str, data: bytes | None = None) -> str:
    """Return what a page says; empty while no one listens there."""
    try:
        with urlopen(url, data, timeout=END_S) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
