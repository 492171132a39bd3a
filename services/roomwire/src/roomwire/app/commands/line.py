"""The command line of `roomwire`, and how it ends.

Click reads it: uvicorn brings it along, so that an image gets no further package, and it has no opinion about how a process
ends. A command returns its exit status, or nothing for 0.
"""

from collections.abc import Sequence

import click

from roomwire.app.commands.check import check
from roomwire.app.commands.dev import dev
from roomwire.app.commands.new import new
from roomwire.app.commands.publish import publish
from roomwire.app.commands.serve import serve
from roomwire.app.commands.tail import tail
from roomwire.app.commands.token import token
from roomwire.app.commands.up import up
from roomwire.errors import ConfigurationError, NodeNameTaken
from roomwire.serving import process


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 1 for an application that cannot work, 2 for wrong arguments or settings.

    Args:
        arguments: Default: those of the process.

    """
    try:
        status = _roomwire(args=arguments, prog_name="roomwire", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 1
    except (ConfigurationError, NodeNameTaken) as error:
        return process.refused("roomwire", error)
    # Of `--help` and `--version`; a command returns none.
    return status or 0


@click.group(name="roomwire", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="roomwire")
def _roomwire() -> None:
    """Write, check and serve an application, and speak with a running deployment.

    MODULE:ATTRIBUTE is an App, or a function that makes one. Without it, ROOMWIRE_APP names the application. All settings are
    environment variables, ROOMWIRE_...; `roomwire check` prints those in force.

    Every command ends with status 0 if it did what it was asked to do, 1 if it could not, and 2 for a wrong argument or setting.
    """


for _command in (check, dev, new, publish, serve, tail, token, up):
    _roomwire.add_command(_command)
