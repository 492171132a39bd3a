"""`roomwire dev`: an application on this machine, started again when a file changes, with a console in the browser."""

import asyncio
import os
from pathlib import Path

import click

from roomwire.app.commands.application import APPLICATION, named
from roomwire.app.dev.development import CONSOLE_PORT, develop
from roomwire.app.dev.environment import of_settings
from roomwire.app.dev.watching import watch
from roomwire.app.settings import GatewaySettings


@click.command("dev")
@APPLICATION
@click.option(
    "--console-port", default=CONSOLE_PORT, show_default=True, help="Port of the console. 0 takes a free one."
)
@click.option(
    "--watch",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder whose Python files are watched in addition to those of the working directory. Repeatable.",
)
def dev(application: str | None, console_port: int, folders: tuple[Path, ...]) -> None:
    """Serve an application on this machine, and start it again when a Python file changes.

    It listens on loopback and keeps messages in memory, unless ROOMWIRE_REDIS_URL says otherwise. The console, whose link is
    printed, connects to the application as its users do.
    """
    environ = of_settings(os.environ)
    # Settings are read from the environment of the process only.
    os.environ.update(environ)
    settings = GatewaySettings.load()
    settings.configure_logs()
    changes = watch([Path.cwd(), *folders])
    asyncio.run(
        develop(named(application, settings.app), settings, environ, changes, console_port=console_port)
    )
