"""Services that tests start import what their images hold, and nothing else does."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tests" / "as_in_images" / "sitecustomize.py"


@pytest.fixture
def as_in_images():
    spec = importlib.util.spec_from_file_location("as_in_images", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "is_one"),
    [
        (["python", "-m", "roomwire_gateway"], True),
        (["python", "-m", "roomwire_auth", "check-config"], True),
        (["python", "-u", "-m", "roomwire", "serve", "board:app"], True),
        (["python", "-m", "roomwire", "tail"], False),
        (["python", "-m", "roomwire_local", "up"], False),
        (["python", "-m", "pytest"], False),
        (["python", "client.py"], False),
        (["python", "-m"], False),
    ],
)
def test_only_the_command_line_of_a_service_is_taken_for_one(as_in_images, arguments, is_one):
    assert is_one is as_in_images.is_service(arguments)


def test_nothing_is_refused_that_an_image_holds(as_in_images):
    lines = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8").splitlines()
    held = {line.partition("==")[0].partition("[")[0].replace("-", ".") for line in lines if "==" in line}

    assert set() == held & set(as_in_images.NOT_IN_IMAGES)


def test_a_service_finds_none_of_what_its_image_does_not_hold(as_in_images, starts_servers):
    import subprocess

    code = "import sys; print([name for name in sys.argv[1:] if name in sys.modules and sys.modules[name] is None])"
    command = [sys.executable, "-c", code, *as_in_images.NOT_IN_IMAGES, "-m", "roomwire_gateway"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert f"{list(as_in_images.NOT_IN_IMAGES)}\n" == ended.stdout
