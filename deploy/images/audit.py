"""`make audit`: known weaknesses of every package that the lock files name, by pip-audit.

It ends with 1 if there is one. A package that could not be asked about is not taken for a sound one: that is 1 too,
unless `--may-be-unreachable` is said; then it is printed, loudly, and 0. An answer of pip-audit that cannot be read is 1 in
any case: nothing is known then, and not for want of a network.
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
"""What pip-audit's errors say where the advisories cannot be reached."""


class Unreadable(Exception):
    """pip-audit said what cannot be read.

    Attributes:
        lock: The file that it was asked about.
        last_line: The last line of its errors.

    """

    def __init__(self, lock: Path, last_line: str) -> None:
        super().__init__(lock, last_line)
        self.lock = lock
        self.last_line = last_line

    def __str__(self) -> str:
        """Say what was asked about, and what came."""
        return f"pip-audit said of {self.lock.name} what cannot be read; its last line is: {self.last_line or 'none'}"


class Advisory(msgspec.Struct):
    """A known weakness."""

    id: str


class Audited(msgspec.Struct):
    """What pip-audit says of a package: its known weaknesses, or why nothing is known."""

    name: str
    version: str = ""
    vulns: Sequence[Advisory] | None = None
    skip_reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse a package of which nothing is said."""
        if self.vulns is None and self.skip_reason is None:
            raise ValueError(f"nothing is said of {self.name}")


class Answer(msgspec.Struct):
    """What pip-audit prints."""

    dependencies: Sequence[Audited]


class Verdict(NamedTuple):
    """What is known of packages: how many are sound, what is weak, and what could not be asked about."""

    sound: int
    weak: Sequence[str]
    unknown: Sequence[str]


def judge(dependencies: Iterable[Audited]) -> Verdict:
    """Sort what pip-audit says of packages."""
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
    """Audit the lock files, or those that are named."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, help="lock files; default: all")
    parser.add_argument(
        "--may-be-unreachable", action="store_true", help="where nobody can be asked, say so and go on"
    )
    arguments = parser.parse_args(argv)
    try:
        return _audit(arguments.locks, may_be_unreachable=arguments.may_be_unreachable)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 1


def _audit(locks: Sequence[Path], *, may_be_unreachable: bool) -> int:
    if judge(_ask_about_one(locks[0])).unknown:
        # One question is enough to know that there is nobody to ask.
        names = ", ".join(lock.name for lock in locks)
        print(f"NOT AUDITED, as nobody could be asked: {names}")
        return 0 if may_be_unreachable else 1
    result = 0
    for lock in locks:
        sound, weak, unknown = judge(_ask(lock))
        print(f"{lock.name}: {sound} packages without a known weakness")
        for line in weak:
            print(f"  WEAK: {line}")
        if unknown:
            print(f"  NOT AUDITED, as nobody could be asked: {', '.join(unknown)}")
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
    # What is locked is all there is: nothing is resolved or installed.
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
