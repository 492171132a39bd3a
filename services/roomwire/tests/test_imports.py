"""What an import brings with it: asked of a fresh interpreter, as this one has everything."""

import json
import subprocess
import sys

import pytest

import roomwire

ALIASES = ("Guard", "Interceptor", "Proceed")
"""Names of types that are functions: to Python they are a Callable."""
FOREIGN = ("engineio", "socketio", "uvicorn", "websockets", "fastapi", "starlette", "pydantic", "uvloop")


def modules_after(code: str) -> set[str]:
    """Return the names of the modules that are there after some code has run."""
    report = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["Emitter", "AsyncEmitter"])
def test_an_emitter_loads_no_engine_and_no_python_socketio(name):
    modules = modules_after(f"import roomwire; roomwire.{name}('redis://localhost')")

    assert "roomwire.log.emitter" in modules
    assert set() == modules & {"roomwire.engine", "roomwire.rooms", "roomwire.server", *FOREIGN}


def test_a_gateway_loads_the_api_and_its_framework_only_where_the_api_is_on():
    modules = modules_after("import roomwire.app.node")

    assert "roomwire.server" in modules
    assert set() == modules & {"roomwire.app.api", "fastapi"}


def test_a_gateway_loads_what_hears_node_s_emitters_only_where_it_is_on():
    assert set() == modules_after("import roomwire.app.node") & {
        "roomwire.app.nodejs",
        "roomwire.metrics.nodejs",
    }


def test_the_package_alone_loads_none_of_its_modules():
    assert {"roomwire"} == {name for name in modules_after("import roomwire") if name.startswith("roomwire")}


@pytest.mark.parametrize("name", roomwire.__all__)
def test_each_public_name_is_the_object_of_its_module(name):
    found = getattr(roomwire, name)

    assert name in dir(roomwire)
    if name not in ALIASES:
        assert name == found.__name__
        assert found.__module__.startswith("roomwire.")


def test_a_star_import_brings_the_public_names():
    names = {}
    exec("from roomwire import *", names)

    assert set(roomwire.__all__) == names.keys() - {"__builtins__"}


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'roomwire' has no attribute 'Servr'"):
        _ = roomwire.Servr
