"""`roomwire serve`: the command that an image of an application runs."""

import click

from roomwire.app.commands.application import APPLICATION, named
from roomwire.app.loading import load
from roomwire.app.node import Node
from roomwire.app.settings import GatewaySettings
from roomwire.serving import process


@click.command("serve")
@APPLICATION
def serve(application: str | None) -> None:
    """Serve an application until SIGTERM or SIGINT."""
    settings = GatewaySettings.load()
    reference = named(application, settings.app)
    settings.configure_logs()
    app = load(reference)
    process.run(app.name, settings, lambda told: Node(app, told))
