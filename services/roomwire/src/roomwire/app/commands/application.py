"""The argument of a command that names an application."""

from typing import Final

import click

from roomwire.errors import ApplicationError

APPLICATION: Final = click.argument("application", required=False, metavar="[MODULE:ATTRIBUTE]")
"""Click's decorator for the argument `application`."""


def named(application: str | None, setting: str) -> str:
    """Return the name of the application that the command line gives, or ROOMWIRE_APP.

    Args:
        application: The argument of the command.
        setting: ROOMWIRE_APP.

    Raises:
        ApplicationError: Neither gives one.

    """
    if reference := application or setting:
        return reference
    command = click.get_current_context().command_path
    raise ApplicationError(
        "import", f"no application is given: run {command} MODULE:ATTRIBUTE, or set ROOMWIRE_APP"
    )
