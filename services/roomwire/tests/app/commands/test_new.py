"""`roomwire new`: the folder that it writes, tested, checked and served as a team would."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml
from live import Client
from service_process import running

from roomwire.app.commands.line import run_command

PYTHON = (sys.executable, "-m")
FILES = {
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "my_board.py",
    "page",
    "pytest.ini",
    "test_my_board.py",
    "values.yaml",
}
PAGE = {"/": "text/html", "/page.js": "text/javascript", "/socket.io.esm.min.js": "text/javascript"}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def board(tmp_path):
    """Return the folder of a new application."""
    assert 0 == run_command(["new", "my_board"])
    return tmp_path / "my_board"


def run(folder, *command, **environ):
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROOMWIRE_")}
    return subprocess.run(
        [*PYTHON, *command], cwd=folder, env=own | environ, capture_output=True, text=True, check=False
    )


def test_the_tests_of_a_new_application_pass_without_a_warning(board):
    # schemathesis, whose plugin takes long to load, is no part of what a team installs.
    done = run(board, "pytest", "-W", "error", "-p", "no:schemathesis", "-p", "no:cacheprovider")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(r"\b4 passed in [\d.]+s", done.stdout)


def test_it_is_typed_strictly(board):
    done = run(board, "mypy", "--strict", "--cache-dir", os.devnull, "my_board.py", "test_my_board.py")

    assert 0 == done.returncode, done.stdout


def test_git_leaves_out_what_the_pages_commands_write(board):
    run_git = partial(subprocess.run, cwd=board, check=True, capture_output=True, text=True)
    run_git(["git", "init", "-q"])
    for secret in ("key", "token", ".local/3000/redis-url"):
        (board / secret).parent.mkdir(parents=True, exist_ok=True)
        (board / secret).write_text("secret")

    shown = run_git(["git", "status", "--porcelain", "--untracked-files=all"]).stdout

    assert FILES - {"page"} <= {line.split()[1] for line in shown.splitlines()}
    assert not re.search(r"\b(key|token)$|local", shown, re.MULTILINE)


def test_check_finds_the_event(board):
    done = run(board, "roomwire", "check", "my_board:app", ROOMWIRE_REDIS_URL="memory://")

    assert (0, "") == (done.returncode, done.stderr)
    assert "namespace /: write" in done.stdout.splitlines()


async def test_serve_delivers_the_page_and_a_note_to_another_client(board, tmp_path):
    note = {"text": "hello"}
    async with (
        running(
            "my_board:app", tmp_path / "log", served=board, redis_url="memory://", auth_mode="off"
        ) as process,
        Client.connected(process.address) as ann,
        Client.connected(process.address) as ben,
        httpx.AsyncClient(base_url=f"http://{process.address}", trust_env=False) as http,
    ):
        for path, kind in PAGE.items():
            answer = await http.get(path)
            assert (200, kind) == (answer.status_code, answer.headers["content-type"].partition(";")[0])
        # There is no auth service on this port.
        assert (404, 405) == (
            (await http.get("/nothing")).status_code,
            (await http.post("/auth/guest")).status_code,
        )
        assert note == await ann.emit("write", note)
        assert [note] == await ben.event("written")


def test_the_folder_has_what_the_image_and_the_chart_need(board):
    dockerfile = (board / "Dockerfile").read_text(encoding="utf-8").splitlines()
    allowed = [
        line for line in (board / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] != "#"
    ]
    values = yaml.safe_load((board / "values.yaml").read_text(encoding="utf-8"))

    assert {file.name for file in board.iterdir()} == FILES
    assert ["FROM", "COPY", "ENV"] == [line.split()[0] for line in dockerfile]
    assert "ENV ROOMWIRE_APP=my_board:app" == dockerfile[-1]
    # The second line copies what is not ignored.
    assert ["*", "!my_board.py", "!page"] == allowed
    assert ("my_board:app", "required") == (values["gateway"]["app"], values["gateway"]["authMode"])
    # Names of images and of Helm's releases have no underscores here.
    assert values["gateway"]["image"]["repository"].endswith("/my-board")


def test_an_empty_folder_is_filled_and_another_is_left_alone(tmp_path, capsys):
    (tmp_path / "my_board").mkdir()

    assert 0 == run_command(["new", "my_board"])
    (tmp_path / "my_board" / "my_board.py").write_text("mine")
    capsys.readouterr()
    assert 1 == run_command(["new", "my_board"])
    assert "roomwire: the folder my_board is not empty" in capsys.readouterr().err
    assert "mine" == (tmp_path / "my_board" / "my_board.py").read_text()


@pytest.mark.parametrize(
    "name", ["my-board", "My", "2d", "_board", "a__b", "class", "json", "msgspec", "conftest", "é", "a" * 41]
)
def test_a_name_that_cannot_be_used_is_refused_before_anything_is_written(name, tmp_path, capsys):
    assert 1 == run_command(["new", name])
    assert capsys.readouterr().err.startswith(f"roomwire: {name!r} ")
    assert [] == [*tmp_path.iterdir()]


def test_a_file_of_that_name_is_no_folder(tmp_path, capsys):
    Path("my_board").touch()

    assert 1 == run_command(["new", "my_board"])
    assert "roomwire: my_board exists and is not a folder: choose another name\n" == capsys.readouterr().err
