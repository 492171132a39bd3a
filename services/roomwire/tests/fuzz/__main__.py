"""The fuzzer: `python -m tests.fuzz --seconds 60`, from services/roomwire. It fails on a finding, and without atheris.

It begins with the corpus that is stored beside it, and is guided by which lines of roomwire an input reaches
(atheris, libFuzzer). It also fails on an input that costs more than its size allows (`costs`). What it finds is written to a file and printed as a test to add to `test_fuzz.py`.
"""

import argparse
import hashlib
import itertools
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
MEASURED = 8
"""The cost of every eighth input is measured."""
ROOT = Path(__file__).resolve().parents[4]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to look (60)")
    parser.add_argument("--findings", type=Path, default=ROOT / "artifacts" / "fuzz", help="where they go")
    arguments = parser.parse_args()
    try:
        import atheris
    except ImportError:
        version = ".".join(map(str, sys.version_info[:2]))
        print(
            "NOT FUZZED: there is no atheris: pip install 'atheris<3.1', with Python 3.11 or 3.12 on Linux, x86-64; this is"
            f" Python {version} on {sys.platform}. The properties of test_fuzz.py run everywhere.",
            file=sys.stderr,
        )
        return 1
    with atheris.instrument_imports(include=["roomwire"]):
        from .entry import Target
    arguments.findings.mkdir(parents=True, exist_ok=True)
    target, numbers = Target(), itertools.count(1)

    def take(data: bytes) -> None:
        try:
            # To count lines takes several times as long as to run them; the fuzzer varies an input many times.
            (target.feed if next(numbers) % MEASURED else target.measure)(data)
        except BaseException as error:
            file = arguments.findings / f"finding-{hashlib.sha256(data).hexdigest()[:16]}"
            file.write_bytes(data)
            print(
                f"\nFOUND {type(error).__name__}; the input is in {file}. Add to FOUND in test_fuzz.py:\n\n    {data!r},\n",
                flush=True,
            )
            raise

    with tempfile.TemporaryDirectory() as fresh:
        options = ["-max_len=4096", f"-max_total_time={arguments.seconds}", "-print_final_stats=1"]
        places = [f"-artifact_prefix={arguments.findings}/", fresh, str(CORPUS)]
        atheris.Setup([sys.argv[0], *options, *places], take)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
