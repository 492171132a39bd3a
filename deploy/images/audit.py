"""`make audit`: known weaknesses of every package that the lock files name, by pip-audit.

It ends with 1 if there is one. A package that could not be asked about is not taken for a sound one: that is 1 too,
unless `--may-be-unreachable` is said; then it is printed, loudly, and 0.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LOCKS = tuple(lock for lock in sorted((ROOT / "requirements").glob("*.txt")) if lock.stem != "oldest")
TIMEOUT_S = 600


class Verdict(NamedTuple):
    """What is known of packages: how many are sound, what is weak, and what could not be asked about."""

    sound: int
    weak: Sequence[str]
    unknown: Sequence[str]


def judge(dependencies: Iterable[Mapping[str, Any]]) -> Verdict:
    """Sort what pip-audit says of packages."""
    sound, weak, unknown = 0, [], []
    for package in dependencies:
        if "skip_reason" in package:
            unknown.append(package["name"])
        elif package["vulns"]:
            names = ", ".join(known["id"] for known in package["vulns"])
            weak.append(f"{package['name']} {package['version']}: {names}")
        else:
            sound += 1
    return Verdict(sound, weak, unknown)


def main(argv: Sequence[str] | None = None) -> int:
    """Audit the lock files, or those that are named."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, help="lock files; default: all")
    parser.add_argument(
        "--may-be-unreachable", action="store_true", help="where nobody can be asked, say so and go on"
    )
    arguments = parser.parse_args(argv)
    if judge(_ask_about_one(arguments.locks[0])).unknown:
        # One question is enough to know that there is nobody to ask.
        names = ", ".join(lock.name for lock in arguments.locks)
        print(f"NOT AUDITED, as nobody could be asked: {names}")
        return 0 if arguments.may_be_unreachable else 1
    result = 0
    for lock in arguments.locks:
        sound, weak, unknown = judge(_ask(lock))
        print(f"{lock.name}: {sound} packages without a known weakness")
        for line in weak:
            print(f"  WEAK: {line}")
        if unknown:
            print(f"  NOT AUDITED, as nobody could be asked: {', '.join(unknown)}")
        if weak or (unknown and not arguments.may_be_unreachable) or not (sound or weak or unknown):
            result = 1
    return result


def _ask_about_one(lock: Path) -> Sequence[Mapping[str, Any]]:
    """Ask about the first package of a lock file."""
    first = re.search(r"^[\w.-]+==(?:.*\\\n)*.*\n", lock.read_text(), re.MULTILINE)
    if first is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder, "one.txt")
        one.write_text(first[0])
        return _ask(one)


def _ask(lock: Path) -> Sequence[Mapping[str, Any]]:
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    # What is locked is all there is: nothing is resolved or installed.
    command += ["--disable-pip", "--require-hashes", "--requirement", str(lock)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    try:
        dependencies: Sequence[Mapping[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except ValueError:
        lines = ran.stderr.strip().splitlines() or ["pip-audit said nothing"]
        return [{"name": f"all of it ({lines[-1]})", "skip_reason": ran.stderr}]
    return dependencies


if __name__ == "__main__":
    sys.exit(main())
