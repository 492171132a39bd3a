"""`roomwire check`: checks an application without running its lifespan."""

from collections.abc import Sequence

import click

from roomwire.app.app import App
from roomwire.app.commands.application import APPLICATION, named
from roomwire.app.differences import differences
from roomwire.app.loading import load
from roomwire.app.node import Node
from roomwire.app.providers import needs_of
from roomwire.app.settings import GatewaySettings
from roomwire.gateways import Gateway
from roomwire.gateways.errors import type_name
from roomwire.serving.listener import certificate


@click.command("check")
@APPLICATION
def check(application: str | None) -> None:
    """Check an application and the settings, and print what is in force. The lifespan is not run."""
    settings = GatewaySettings.load()
    app = load(named(application, settings.app))
    differing = [*differences(app, settings)]
    Node(app, settings)
    certificate(settings)
    for line in [*settings.lines(), "", *_described(app), *differing]:
        click.echo(line)
    if app.lifespan is not None:
        click.echo(
            "not checked: the lifespan, which runs only in a process that serves, and what it provides"
        )


def _described(app: App) -> Sequence[str]:
    """Return lines that say what an application subscribes to, and what it needs."""
    lines = [
        f"namespace {namespace}: {', '.join(events) or 'no events'}"
        for namespace, events in app.bind().items()
    ]
    for gateway in app.gateways:
        kind: type = gateway if isinstance(gateway, type) else type(gateway)
        events = kind.interface(app.around).events if issubclass(kind, Gateway) else {}
        dear = [f"{event} {handled.cost}" for event, handled in sorted(events.items()) if handled.cost > 1]
        lines += [f"{kind.__name__} costs, in ordinary events: {', '.join(dear)}"] * bool(dear)
        if isinstance(gateway, type):
            needed = [type_name(need.kinds[0]) for need in needs_of(gateway) if need.is_required]
            lines += [f"{gateway.__name__} needs: {', '.join(needed)}"] * bool(needed)
    if app.http is not None:
        lines.append(f"everything else: {type(app.http).__name__}, by HTTP and WebSocket")
    return lines
