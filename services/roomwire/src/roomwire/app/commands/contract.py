"""`roomwire contract`: what an application has for clients, as a document and as types, and what a change of it breaks."""

from pathlib import Path

import click
import msgspec

from roomwire.app.commands.application import APPLICATION, named
from roomwire.app.commands.refusal import Refusal
from roomwire.app.contract.comparison import changes
from roomwire.app.contract.document import Document, document_of
from roomwire.app.contract.reading import NoContract, read, read_text
from roomwire.app.contract.surface import surface_of
from roomwire.app.contract.typescript import typescript_of
from roomwire.app.loading import load
from roomwire.app.settings import GatewaySettings


@click.command("contract")
@APPLICATION
@click.option(
    "--asyncapi",
    "form",
    flag_value="asyncapi",
    default=True,
    help="Print an AsyncAPI 3 document (JSON). The default.",
)
@click.option(
    "--typescript", "form", flag_value="typescript", help="Print types for the official client in TypeScript."
)
@click.option(
    "--check",
    "earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Print what has changed since this document, which the command wrote earlier; the status is 1 if a change breaks clients.",
)
def contract(application: str | None, form: str, earlier: Path | None) -> None:
    """Print the contract of an application with its clients: its events, acks and errors, and their types.

    The lifespan is not run. What cannot be known is said in the document, and on the error output.
    """
    settings = GatewaySettings.load()
    surface = surface_of(load(named(application, settings.app)))
    document = document_of(surface, auth_mode=settings.auth_mode)
    for sentence in surface.not_known:
        click.echo(f"not known: {sentence}", err=True)
    if earlier is not None:
        _check(earlier, document)
    elif form == "typescript":
        click.echo(typescript_of(read(document)), nl=False)
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def _check(earlier: Path, document: Document) -> None:
    """Print what has changed.

    Raises:
        Refusal: A change breaks clients.
        click.BadParameter: The earlier file is not such a document.

    """
    try:
        old = read_text(earlier.read_bytes())
    except NoContract as error:
        raise click.BadParameter(
            f"{earlier} is not a document that `roomwire contract` wrote: {error}", param_hint="--check"
        ) from None
    found = changes(old, read(document))
    for change in found:
        click.echo(f"{'breaks' if change.breaks else 'adds'}: {change.text}")
    if breaking := sum(change.breaks for change in found):
        raise Refusal(f"{breaking} of {len(found)} changes break clients of {earlier}")
    if not found:
        click.echo("nothing has changed")
