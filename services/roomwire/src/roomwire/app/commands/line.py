"""The command line of `roomwire`, and how it ends.

Click reads it. uvicorn depends on Click, so an image needs no further package, and Click leaves the end of the process to us. A command
returns its exit status, or None for 0.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from roomwire.errors import ConfigurationError, NodeNameTaken

COMMANDS: Final = ("check", "contract", "dev", "new", "publish", "serve", "tail", "token", "up")
"""Each command is a function in the module of its name, which is imported when the command runs: `serve` imports ten times as much as
`token`."""


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status: 1 for an application that cannot work, 2 for wrong arguments or settings.

    Args:
        arguments: The arguments. Default: those of the process.

    """
    try:
        status = _roomwire(args=arguments, prog_name="roomwire", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 1
    except (ConfigurationError, NodeNameTaken) as error:
        from roomwire.serving import process  # noqa: PLC0415 - most commands do not serve

        return process.refused("roomwire", error)
    # `--help` and `--version` return a status; a command may return None.
    return status or 0


class _Commands(click.Group):
    """The commands, each imported when it is called."""

    def list_commands(self, _: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"roomwire.app.commands.{name}"), name)
        return command


@click.group(name="roomwire", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="roomwire")
def _roomwire() -> None:
    """Write, check and serve an application, and speak with a running deployment.

    MODULE:ATTRIBUTE is an App, or a function that makes one. Without it, ROOMWIRE_APP names the application. All settings are
    environment variables, ROOMWIRE_...; `roomwire check` prints those in force.

    Every command ends with status 0 if it did what it was asked to do, 1 if it could not, and 2 for a wrong argument or setting.
    """
