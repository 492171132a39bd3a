"""Commands are imported before their tests run: what some of them import binds a socket, to see whether there is IPv6.

Tests of commands that load an application share the folder in which it is.
"""

import os
import sys
from importlib import import_module

import pytest

from roomwire.app.commands.line import COMMANDS

for _command in COMMANDS:
    import_module(f"roomwire.app.commands.{_command}")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder of an application, from which a command can import, and an environment without settings but that of the log."""
    for variable in [*os.environ]:
        if variable.startswith("ROOMWIRE_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("ROOMWIRE_REDIS_URL", "memory://")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path
