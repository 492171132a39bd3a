"""`make audit`: known vulnerabilities of every package in the lock files, by pip-audit.

The exit status is 1 if there is one. A package that could not be checked is not considered safe, so the status is 1 as well,
unless `--may-be-unreachable` is given; then the package is reported prominently, and the status is 0. If an answer of
pip-audit cannot be read, the status is always 1: then nothing is known, and the network is not the reason.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

ROOT = Path(__file__).resolve().parents[2]
LOCKS = tuple(lock for lock in sorted((ROOT / "requirements").glob("*.txt")) if lock.stem != "oldest")
TIMEOUT_S = 600
_NOT_REACHED: Final = re.compile(
    r"Could not connect to PyPI|requests\.exceptions\.(ConnectionError|ConnectTimeout|HTTPError|ProxyError|ReadTimeout|SSLError)"
)
"""Errors of pip-audit where the advisories cannot be reached."""


class Unreadable(Exception):
    """An answer of pip-audit cannot be read.

    Attributes:
        lock: The lock file that was being checked.
        last_line: The last line of pip-audit's errors.

    """

    def __init__(self, lock: Path, last_line: str) -> None:
        super().__init__(lock, last_line)
        self.lock = lock
        self.last_line = last_line

    def __str__(self) -> str:
        """Return the lock file and the last line, in a sentence."""
        return f"pip-audit's answer about {self.lock.name} cannot be read; its last line is: {self.last_line or 'none'}"


class Advisory(msgspec.Struct):
    """A known vulnerability."""

    id: str


class Audited(msgspec.Struct):
    """pip-audit's answer for a package: its known vulnerabilities, or why none could be looked up."""

    name: str
    version: str = ""
    vulns: Sequence[Advisory] | None = None
    skip_reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse a package whose audit has no result."""
        if self.vulns is None and self.skip_reason is None:
            raise ValueError(f"the answer has no result for {self.name}")


class Answer(msgspec.Struct):
    """The output of pip-audit."""

    dependencies: Sequence[Audited]


class Verdict(NamedTuple):
    """What is known about packages: how many are safe, which are vulnerable, and which could not be checked."""

    sound: int
    weak: Sequence[str]
    unknown: Sequence[str]


def judge(dependencies: Iterable[Audited]) -> Verdict:
    """Sort pip-audit's answers about packages."""
    sound, weak, unknown = 0, [], []
    for package in dependencies:
        if package.vulns is None:
            unknown.append(package.name)
        elif package.vulns:
            names = ", ".join(known.id for known in package.vulns)
            weak.append(f"{package.name} {package.version}: {names}")
        else:
            sound += 1
    return Verdict(sound, weak, unknown)


def main(argv: Sequence[str] | None = None) -> int:
    """Audit the given lock files, or all."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, help="lock files; default: all")
    parser.add_argument(
        "--may-be-unreachable", action="store_true", help="report packages that cannot be checked, and go on"
    )
    arguments = parser.parse_args(argv)
    try:
        return _audit(arguments.locks, may_be_unreachable=arguments.may_be_unreachable)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 1


def _audit(locks: Sequence[Path], *, may_be_unreachable: bool) -> int:
    if judge(_ask_about_one(locks[0])).unknown:
        # One question suffices to learn that the advisories cannot be reached.
        names = ", ".join(lock.name for lock in locks)
        print(f"NOT AUDITED, because the advisories cannot be reached: {names}")
        return 0 if may_be_unreachable else 1
    result = 0
    for lock in locks:
        sound, weak, unknown = judge(_ask(lock))
        print(f"{lock.name}: {sound} packages without a known weakness")
        for line in weak:
            print(f"  WEAK: {line}")
        if unknown:
            print(f"  NOT AUDITED, because the advisories cannot be reached: {', '.join(unknown)}")
        if weak or (unknown and not may_be_unreachable) or not (sound or weak or unknown):
            result = 1
    return result


def _ask_about_one(lock: Path) -> Sequence[Audited]:
    """Ask about the first package of a lock file."""
    first = re.search(r"^[\w.-]+==(?:.*\\\n)*.*\n", lock.read_text(), re.MULTILINE)
    if first is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder, "one.txt")
        one.write_text(first[0])
        return _ask(one)


def _ask(lock: Path) -> Sequence[Audited]:
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    # A lock file is complete, so nothing is resolved or installed.
    command += ["--disable-pip", "--require-hashes", "--requirement", str(lock)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if not ran.stdout.strip() and _NOT_REACHED.search(ran.stderr):
        return [Audited(f"all of {lock.name}", skip_reason=ran.stderr)]
    try:
        return msgspec.json.decode(ran.stdout, type=Answer).dependencies
    except ValueError as error:
        raise Unreadable(lock, ran.stderr.strip().rpartition("\n")[2]) from error


if __name__ == "__main__":
    sys.exit(main())
