"""Each command line about load that the documents show works: it is run as it stands there, only for a shorter time."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from locusts import END_S, counts, end, locust, page, stop
from waiting import until_blocking

from roomwire_loadtest.load.thresholds import Outcome
from roomwire_local.free_ports import free_port
from roomwire_local.system import local_system

pytestmark = pytest.mark.load

TOP = Path(__file__).resolve().parents[3]
LOAD = "roomwire_loadtest.load"
DOCUMENTS = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
_COMMAND = re.compile(
    r"\.venv/bin/(?:locust|python -m roomwire_loadtest\.load)[^`#\n]*|(?:LOAD|PROFILE|SOAK)=(?:\"--[^\"]*\"|--\w+)"
)


def documented():
    """Return what the documents show to be typed, each once."""
    text = "\n".join(path.read_text("utf-8") for path in DOCUMENTS)
    return sorted({" ".join(found.split()) for found in _COMMAND.findall(text)})


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with local_system(tmp_path_factory.mktemp("documented"), free_port()) as running:
        yield running


def make(target, variable):
    """Run a target of the Makefile, in the environment that the tests run in; returns the exit code and what it said."""
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "PYTHONPATH"}}
    venv = Path(sys.executable).parents[1]
    # What is installed is not installed again in the middle of a test.
    command = ["make", "-o", f"{venv}/installed", f"VENV={venv}", target, variable]
    done = subprocess.run(
        command, cwd=TOP, env=environ, capture_output=True, text=True, timeout=END_S, check=False
    )
    return done.returncode, done.stdout + done.stderr


LOCUSTS = [
    ".venv/bin/locust -f loadtest/locustfile.py --headless -u 20 -r 5 -t 20s --host http://127.0.0.1:3000",
    ".venv/bin/locust -f loadtest/locustfile.py --processes 2 --headless -u 20 -t 20s --host http://127.0.0.1:3000",
]
LED = [
    ".venv/bin/locust -f loadtest/locustfile.py --master --headless --expect-workers 2 -u 20 -t 20s --host http://127.0.0.1:3000",
    ".venv/bin/locust -f loadtest/locustfile.py --worker --master-host 127.0.0.1",
]
PAGE = ".venv/bin/locust -f loadtest/locustfile.py --host http://127.0.0.1:3000"
LOADS = [
    'LOAD="--scenario rollout --users 500 --seconds 90"',
    'LOAD="--scenario storm --users 500 --url https://chat.example"',
    'LOAD="--web 8089"',
]
LED_LOAD = ['LOAD="--master 4"', ".venv/bin/python -m roomwire_loadtest.load --worker HOST"]
SCRIPT = ".venv/bin/python -m roomwire_loadtest.load --scenario storm"
OTHERS = [
    "LOAD=--help",
    'PROFILE="--scenario big-room --users 500 --seconds 30"',
    'SOAK="--users 100"',
]


def test_the_documents_show_no_command_that_is_not_tried_here():
    assert sorted([*LOCUSTS, *LED, PAGE, *LOADS, *LED_LOAD, SCRIPT, *OTHERS]) == documented()


def arguments(line, system):
    """Return the arguments of locust in a line, for fewer people in a shorter time on this test's system."""
    words = shlex.split(line)[3:]
    # Commands are tried here, and not the machine: so short that nothing is given up for lack of an answer (`GIVEN_UP_S`).
    shorter = {"-u": "4", "-t": "2s", "--host": system.url}
    return [shorter.get(before, word) for before, word in zip(["", *words], words, strict=False)]


@pytest.mark.parametrize("line", LOCUSTS)
def test_locust_runs(line, system):
    code, output = end(locust(*arguments(line, system), "--json"))
    assert 0 == code, counts(output)


def test_locust_runs_with_a_master_and_workers(system):
    port = free_port()
    master = locust(*arguments(LED[0], system), "--master-bind-port", port)
    workers = [locust(*arguments(LED[1], system), "--master-port", port) for _ in range(2)]
    assert [0, 0, 0] == [end(process)[0] for process in (master, *workers)]


def test_locust_shows_its_page(system):
    port = free_port()
    run = locust(*arguments(PAGE, system), "--web-port", port)
    try:
        assert system.url in until_blocking(lambda: page(f"http://127.0.0.1:{port}/"), within_s=END_S)
    finally:
        stop(run)


def shortened(line, system, out):
    """Return the arguments of `python -m roomwire_loadtest.load` in a line, for fewer people in a shorter time on this test's system."""
    words = shlex.split(line.removeprefix('LOAD="').removesuffix('"'))
    words = words[words.index(LOAD) + 1 :] if LOAD in words else words
    given = dict(zip(words[::2], words[1::2], strict=True))
    # Long enough for messages, and for an exchange of all gateways, on a slow machine as well: without them a run is void.
    seconds = "40" if given.get("--scenario") == "rollout" else "15"
    changed = {"--users": "8", "--seconds": seconds, "--url": system.url, "--out": str(out)}
    # Commands are tried here, and not the machine: it may be slow.
    (out / "t.toml").write_text("lost = 0\n")
    changed["--thresholds"] = str(out / "t.toml")
    for name, value in {"--web": str(free_port()), "--master": "1", "--worker": "127.0.0.1"}.items():
        changed |= {name: value} if name in given else {}
    return given | changed


def joined(given):
    return " ".join(f"{name} {value}" for name, value in given.items())


@pytest.mark.parametrize("line", LOADS)
def test_make_load_runs(line, system, tmp_path):
    code, said = make("load", f"LOAD={joined(shortened(line, system, tmp_path))}")
    assert (0, True) == (code, "KEPT: exit code 0" in said), said


def start_load(given):
    words = [word for pair in given.items() for word in pair]
    return subprocess.Popen([sys.executable, "-m", LOAD, *words], stdout=subprocess.DEVNULL)


def test_make_load_leads_workers(system, tmp_path):
    port = {"--port": str(free_port())}
    worker = start_load(shortened(LED_LOAD[1], system, tmp_path) | port)
    code, said = make("load", f"LOAD={joined(shortened(LED_LOAD[0], system, tmp_path) | port)}")
    assert (0, 0) == (code, worker.wait(END_S)), said


def test_a_script_gets_the_exit_code_that_make_hides(system, tmp_path):
    # With nobody who could say anything in so short a time the run is void.
    given = shortened(SCRIPT, system, tmp_path) | {"--seconds": "4", "--users": "1"}
    assert Outcome.VOID == start_load(given).wait(END_S)
    code, said = make("load", f"LOAD={joined(given)}")
    assert 2 == code
    assert "VOID: exit code 3" in said
    assert "Error 3" in said


def test_make_load_says_what_it_takes():
    code, said = make("load", "LOAD=--help")
    assert (0, True) == (code, "--scenario" in said)


def test_make_soak_runs_and_is_void_in_so_short_a_time(tmp_path):
    code, said = make("soak", f"SOAK=--users 4 --seconds 12 --out {tmp_path}")
    assert (2, True) == (code, "Error 3" in said), said
    assert "VOID: in less than 300 s nothing is seen to grow" in said


@pytest.mark.usefixtures("py_spy_may_look")
def test_make_profile_runs_and_says_what_it_saw(tmp_path):
    out = tmp_path / "profile.svg"
    _, said = make("profile", f"PROFILE=--scenario big-room --users 4 --seconds 2 --out {out}")
    # How many there are is a matter of the machine.
    assert f"{out}: " in said, said
    assert " samples, " in said
