"""Any bytes at all: a clean close or nothing, no exception, and nothing left (the target of `make fuzz`)."""

import os
import re
import sys
from pathlib import Path

import pytest
from fuzz.costs import OURS, TooDear, check_time, work_of
from fuzz.entry import Target, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
SEEDS = list(seeds())

FOUND: list[bytes] = [
    # More messages than may wait: the server stops reading, which the fuzzer's transport could not.
    bytes([0x84, 0xFB, *[0x82] * 7, 0xFB, *[0x82] * 73]),
]
"""What the fuzzer or the properties have found, and what must not come back."""


@pytest.fixture(scope="module")
def target():
    found = Target()
    yield found
    found.close()


@pytest.mark.parametrize("data", [*SEEDS, *FOUND], ids=lambda data: data[:40].hex())
def test_what_was_found_once_does_not_come_back(target, data):
    for cut in range(4):
        target.feed(data[:1] + bytes([cut]) + data[2:])


def test_the_stored_corpus_is_clean(target):
    files = sorted(CORPUS.iterdir())
    assert len(files) >= len(SEEDS)
    for file in files:
        target.measure(file.read_bytes())


@pytest.mark.parametrize("data", SEEDS, ids=lambda data: data[:40].hex())
def test_what_is_sent_again_and_again_costs_in_proportion_to_its_size(target, data):
    target.feed(data)
    target.measure(data[:2] + data[2:] * (1_022 // len(data[2:]) + 1))


@pytest.mark.parametrize(
    ("body", "size", "is_dear"),
    [
        ("for each in data:\n    each", 4_096, False),
        ("for each in data:\n    for other in data:\n        other", 512, True),
        ("held = [bytes(1) for each in data]", 4_096, False),
        ("held = [bytes(len(data)) for each in data]", 4_096, True),
    ],
)
def test_what_costs_the_square_of_its_size_is_found_and_what_costs_its_size_is_not(body, size, is_dear):
    code = compile(body, f"{OURS}roomwire/made_up.py", "exec")
    work = work_of(lambda: exec(code, {"data": bytes(size)}))
    assert work.lines
    assert work.bytes

    if is_dear:
        with pytest.raises(TooDear):
            work.check(size)
    else:
        work.check(size)


def test_an_expression_that_takes_the_square_of_its_text_is_found():
    expression = re.compile("a+b")

    with pytest.raises(TooDear):
        check_time(lambda: expression.search("a" * 20_000), longest_s=0.05)


@settings(max_examples=300)
@given(st.integers(0, 4), st.integers(0, 7), st.binary(max_size=300))
def test_any_bytes_are_survived(target, kind, cut, data):
    target.feed(bytes([kind, cut]) + data)


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.integers(0, 40), st.data())
def test_what_is_nearly_right_is_survived(target, seed, cut, data):
    changed = bytearray(seed[2:] * data.draw(st.integers(1, 2)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(changed) - 1)))
        end = place + data.draw(st.integers(0, 4))
        changed[place:end] = data.draw(st.binary(max_size=4))
    target.feed(seed[:1] + bytes([cut]) + bytes(changed))


@pytest.mark.usefixtures("starts_servers")
def test_a_run_without_the_fuzzers_engine_fails_and_says_what_to_install(tmp_path):
    import subprocess

    (tmp_path / "atheris.py").write_text("raise ImportError")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--seconds", "1", "--findings", str(tmp_path / "findings")],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == done.returncode
    assert "NOT FUZZED: there is no atheris: pip install 'atheris<3.1'" in done.stderr
