"""The command `roomwire`: serves an application, or checks it.

Click reads the command line: uvicorn brings it along, so that an image gets no further package, and it has no opinion about how
a process ends.
"""

from collections.abc import Sequence

import click

from roomwire import logs
from roomwire.app.app import App
from roomwire.app.differences import differences
from roomwire.app.loading import load
from roomwire.app.node import Node
from roomwire.app.providers import name_of, needs_of
from roomwire.app.settings import GatewaySettings
from roomwire.errors import ApplicationError, ConfigurationError, NodeNameTaken
from roomwire.serving import process
from roomwire.serving.listener import certificate

_APPLICATION = click.argument("application", required=False, metavar="[MODULE:ATTRIBUTE]")


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
    """Serve an application of yours: MODULE:ATTRIBUTE is an App, or a function that makes one.

    Without it, ROOMWIRE_APP names the application. All settings are environment variables, ROOMWIRE_...; `roomwire check` prints
    those in force.
    """


@_roomwire.command("serve")
@_APPLICATION
def _serve(application: str | None) -> None:
    """Serve an application until SIGTERM or SIGINT."""
    settings = GatewaySettings.load()
    logs.configure(level=settings.log_level, log_format=settings.log_format, node=settings.node_name)
    app = load(_named(application, settings))
    process.run(app.name, settings, lambda told: Node(app, told))


@_roomwire.command("check")
@_APPLICATION
def _check(application: str | None) -> None:
    """Check an application and the settings, and print what is in force. The lifespan is not run."""
    settings = GatewaySettings.load()
    reference = _named(application, settings)
    app = load(reference)
    differing = [*differences(app, settings)]
    Node(app, settings)
    certificate(settings)
    for variable, value in settings.effective():
        click.echo(f"{variable}={value}")
    click.echo()
    for line in [*_described(app), *differing]:
        click.echo(line)
    if app.lifespan is not None:
        click.echo(
            "not looked at: the lifespan, which only runs in a process that serves, and what it provides"
        )


def _named(application: str | None, settings: GatewaySettings) -> str:
    if reference := application or settings.app:
        return reference
    raise ApplicationError(
        "import", "no application is named: say roomwire serve MODULE:ATTRIBUTE, or set ROOMWIRE_APP"
    )


def _described(app: App) -> Sequence[str]:
    """Return lines that say what an application subscribes to, and what it needs."""
    lines = [
        f"namespace {namespace}: {', '.join(events) or 'no events'}"
        for namespace, events in app.bind().items()
    ]
    for gateway in app.gateways:
        if isinstance(gateway, type):
            needed = [name_of(need.kinds[0]) for need in needs_of(gateway) if need.is_required]
            lines += [f"{gateway.__name__} needs: {', '.join(needed)}"] * bool(needed)
    if app.http is not None:
        lines.append(f"everything else: {type(app.http).__name__}, by HTTP and WebSocket")
    return lines
