"""`roomwire up`: runs an application in the whole system on this machine, by the package `roomwire-local`.

That package depends on the library, so it is not imported here. The command becomes its program, so that signals reach the supervisor.
"""

import os
import sys
from importlib.util import find_spec
from typing import Final

import click

from roomwire.app.commands.application import APPLICATION, named
from roomwire.app.commands.refusal import Refusal
from roomwire.app.loading import load

_LOCAL: Final = "roomwire_local"
_MAX_PORT: Final = 65_535
_MAX_GATEWAYS: Final = 32


@click.command("up")
@APPLICATION
@click.option(
    "--port",
    type=click.IntRange(1, _MAX_PORT),
    default=3000,
    envvar="PORT",
    show_default=True,
    show_envvar=True,
    help="Port of the ingress. The system chooses all other ports.",
)
@click.option(
    "--gateways",
    type=click.IntRange(1, _MAX_GATEWAYS),
    default=2,
    envvar="GATEWAYS",
    show_default=True,
    show_envvar=True,
    help="Number of gateways.",
)
def up(application: str | None, port: int, gateways: int) -> None:
    """Run an application on this machine as in a deployment, until Ctrl-C.

    The system consists of Valkey, the auth service, gateways that serve the application, and Traefik as the ingress. Several
    systems run side by side on different ports. They keep their data in .local/ of the working directory. Settings, ROOMWIRE_...,
    are passed to the services; ROOMWIRE_AUTH_MODE is `optional` unless it is set. The extra `local` must be installed.

    The status is 1 if the application cannot be loaded or the system does not come up.
    """
    if find_spec(_LOCAL) is None:
        raise Refusal("the local system is not installed: pip install 'roomwire[local]'")
    reference = named(application, os.environ.get("ROOMWIRE_APP", ""))
    # An application that cannot be loaded is refused before anything starts.
    load(reference)
    chosen = {"PORT": str(port), "GATEWAYS": str(gateways), "ROOMWIRE_APP": reference}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-m", _LOCAL, "up"], {**os.environ, **chosen})  # noqa: S606 - its own program
