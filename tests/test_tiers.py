"""The tiers: a test's imports and fixtures decide whether it is quick, and quick tests are watched."""

import os
import sys

import pytest
from starters import Sources
from tiers import Watch

TIMEOUT_S = 60
EXAMPLES = {
    "conftest.py": """
        import pytest

        pytest_plugins = ["tiers"]

        @pytest.fixture
        def server(starts_servers):
            pass
    """,
    "test_pure.py": """
        import pytest

        def test_pure():
            pass

        def test_with_a_server(server):
            pass

        @pytest.mark.timeout(1_000)
        def test_that_may_take_long():
            pass
    """,
    "test_imports.py": """
        import subprocess

        def test_imports():
            pass
    """,
    "test_shares.py": """
        import subprocess

        import pytest

        @pytest.fixture(scope="module")
        def system(starts_servers):
            pass

        @pytest.mark.parametrize("number", range(8))
        def test_with_the_same_system(system, number):
            pass
    """,
    "test_template.py.txt": """
        from $name import app
    """,
    "test_lies.py": """
        import contextlib
        import socket

        def test_binds():
            socket.socket().bind(("127.0.0.1", 0))

        def test_swallows():
            with contextlib.suppress(BaseException):
                socket.socket().bind(("127.0.0.1", 0))
    """,
}


def write(folder, files):
    for name, text in files.items():
        lines = text.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        (folder / name).write_text("\n".join(line[indent:] for line in lines))


@pytest.fixture
def run(tmp_path, starts_servers):
    """Run pytest on the examples; returns its output."""
    import subprocess

    write(tmp_path, EXAMPLES)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def run_(*arguments):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            "-rA",
            *arguments,
        ]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        return ended.stdout

    return run_


def test_the_quick_tier_leaves_out_files_that_import_a_starter_and_tests_with_its_fixture(run):
    output = run("--quick")

    assert "PASSED test_pure.py::test_pure" in output
    assert "test_with_a_server" not in output
    assert "test_imports" not in output


@pytest.mark.parametrize("arguments", [[], ["--quick"]], ids=["all tests", "the quick tier"])
def test_a_quick_test_that_listens_fails_and_the_sentence_says_what_to_do(run, arguments):
    output = run("test_lies.py", *arguments)

    assert "FAILED test_lies.py::test_binds" in output
    assert "FAILED test_lies.py::test_swallows" in output
    assert "ask for the fixture `starts_servers`" in output


def test_in_parallel_what_may_take_long_begins_and_the_quick_tests_fill_the_end(run):
    output = run("-n1", "--dist=loadgroup", "-v", "test_pure.py", "test_imports.py")

    assert ["test_that_may_take_long", "test_imports", "test_with_a_server", "test_pure"] == [
        line.rpartition("::")[2].strip() for line in output.splitlines() if line.startswith("[gw0]")
    ]


def test_in_parallel_the_tests_that_share_a_server_run_in_one_worker(run):
    output = run("-n2", "--dist=loadgroup", "-v", "test_shares.py")

    workers = [
        line.partition(" ")[0] for line in output.splitlines() if "PASSED" in line and line.startswith("[gw")
    ]
    assert (8, 1) == (len(workers), len(set(workers)))


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("import subprocess", True),
        ("from subprocess import run", True),
        ("from playwright.sync_api import expect", True),
        ("import helper", True),
        ("from package.inner import start", True),
        ("import asyncio", False),
        ("import harmless", False),
        ("def test():\n    import subprocess", False),
        ("def test():\n    socket.create_server(None)", False),
    ],
)
def test_what_a_test_file_imports_at_its_top_says_whether_it_starts_something(tmp_path, text, starts):
    (tmp_path / "package").mkdir()
    write(
        tmp_path,
        {
            "test_it.py": text,
            "helper.py": "import deeper",
            "deeper.py": "import asyncio, helper\nasync def open():\n    await asyncio.create_subprocess_exec('true')",
            "package/inner.py": "def start():\n    import uvicorn",
            "harmless.py": "import socket",
        },
    )

    assert starts is Sources([tmp_path]).test_starts(tmp_path / "test_it.py")


@pytest.mark.parametrize("event", ["socket.bind", "subprocess.Popen", "os.posix_spawn", "os.fork"])
def test_what_starts_something_fails_at_once_and_if_it_is_swallowed_at_the_end(event):
    watch = Watch()
    watch.quick = "test_it"
    phase = watch.phase()
    next(phase)

    with pytest.raises(pytest.fail.Exception, match=f"test_it is taken for a quick test.*{event}"):
        watch(event, ())
    with pytest.raises(pytest.fail.Exception, match=event):
        next(phase)


def test_to_connect_and_to_read_is_nothing_to_fail_for():
    watch = Watch()
    watch.quick = "test_it"

    watch("socket.connect", ())
    watch("open", ())

    assert [] == watch.started


def test_nothing_is_watched_between_quick_tests():
    watch = Watch()

    watch("socket.bind", ())

    assert [] == watch.started
