"""Commands are imported before their tests run: what some of them import binds a socket, to see whether there is IPv6."""

from importlib import import_module

from roomwire.app.commands.line import COMMANDS

for _command in COMMANDS:
    import_module(f"roomwire.app.commands.{_command}")
