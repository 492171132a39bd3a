"""The argument of a command that names an application."""

from typing import Final

import click

from roomwire.app.settings import GatewaySettings
from roomwire.errors import ApplicationError

APPLICATION: Final = click.argument("application", required=False, metavar="[MODULE:ATTRIBUTE]")
"""Click's decorator for the argument `application`."""


def named(application: str | None, settings: GatewaySettings) -> str:
    """Return the name of the application that the command line or ROOMWIRE_APP gives.

    Raises:
        ApplicationError: Neither gives one.

    """
    if reference := application or settings.app:
        return reference
    raise ApplicationError(
        "import", "no application is named: say roomwire serve MODULE:ATTRIBUTE, or set ROOMWIRE_APP"
    )
