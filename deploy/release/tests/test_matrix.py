"""The tests that the matrix runs."""

import re
from pathlib import Path

import pytest

import matrix
from roomwire.protocol.reader import WEBSOCKETS
from roomwire.server.drop_in import ENGINEIO, SOCKETIO
from roomwire.serving.uvicorn_names import UVICORN

REQUIREMENTS = Path(__file__).parents[3] / "requirements"


def pins(name):
    text = (REQUIREMENTS / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


def test_every_file_that_it_names_is_there():
    assert len(matrix.files()) >= len(matrix.RELYING)


def test_a_file_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"test_gone\.py"):
        matrix.files(("test_gone.py",))


@pytest.mark.parametrize("foreign", [SOCKETIO, ENGINEIO, UVICORN, WEBSOCKETS], ids=lambda it: it.package)
@pytest.mark.parametrize("end", matrix.ENDS)
def test_its_ends_are_the_ends_of_the_tested_range(foreign, end):
    version = pins({"oldest": "oldest.txt", "newest": "dev.txt"}[end])[foreign.package]

    assert version.startswith(f"{getattr(foreign, end)}.") or version == getattr(foreign, end)
