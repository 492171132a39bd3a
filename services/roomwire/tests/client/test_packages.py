"""What the clients rely on in python-socketio and python-engineio, and what they say when a package is missing."""

import importlib
import json
import subprocess
import sys

import pytest

from roomwire.client import AsyncClient, Client
from roomwire.client.engines import AsyncEngine, ThreadedEngine
from roomwire.client.packages import OVERRIDDEN, require
from roomwire.errors import PackageMissing

OURS = {
    "socketio.AsyncClient": AsyncClient,
    "socketio.Client": Client,
    "engineio.AsyncClient": AsyncEngine,
    "engineio.Client": ThreadedEngine,
}


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_is_overridden_is_what_is_listed(name):
    package, _, kind = name.rpartition(".")
    stock = getattr(importlib.import_module(package), kind)
    ours = {each for each in vars(OURS[name]) if hasattr(stock, each) and not each.startswith("__")}

    assert issubclass(OURS[name], stock)
    assert {*OVERRIDDEN[name]} == ours


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    with pytest.raises(PackageMissing, match=r"tulips is not installed: pip install 'roomwire\[client\]'"):
        require(no_such_module="tulips")


@pytest.mark.usefixtures("starts_servers")
def test_the_clients_load_neither_the_server_nor_the_engine():
    code = "import json, sys, roomwire.client; print(json.dumps([one for one in sys.modules if 'roomwire.' in one]))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert {"client", "errors", "health"} == {name.split(".")[1] for name in json.loads(loaded)}
