"""`roomwire token`: an access token of the auth service, for a guest or an account."""

import os
from pathlib import Path

import click

from roomwire.app.commands.refusal import Refusal
from roomwire.app.commands.remote import Url, call, checked_url
from roomwire.app.commands.secret import text_of


@click.command("token")
@click.argument("url", callback=checked_url)
@click.option(
    "--name", help="Name of the guest, which other users see. By default the auth service chooses one."
)
@click.option("--username", help="Sign in to this account instead of entering as a guest.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that holds the password. Without it ROOMWIRE_PASSWORD has the password, or the command asks for it.",
)
def token(url: Url, name: str | None, username: str | None, password_file: Path | None) -> None:
    """Print an access token that the auth service at URL issues, for example http://localhost:3000.

    Standard output has the token and nothing else. It is valid for some minutes and is not renewed.

    The status is 1 if the auth service refuses or does not answer.
    """
    if username is None:
        if password_file is not None:
            raise click.UsageError("--password-file needs --username.")
        click.echo(guest_token(url, name))
        return
    if name is not None:
        raise click.UsageError("--name is the name of a guest; an account has its own.")
    body = {"username": username, "password": _password(password_file)}
    click.echo(_access_token(call(url, "/auth/login", body=body)))


def guest_token(url: Url, name: str | None = None) -> str:
    """Return an access token of a new guest.

    Args:
        url: The URL of the deployment.
        name: The guest's name. Default: the auth service chooses one.

    Raises:
        Refusal: The auth service refuses or does not answer.

    """
    return _access_token(call(url, "/auth/guest", body={} if name is None else {"name": name}))


def _access_token(answer: object) -> str:
    match answer:
        case {"access_token": str(issued)}:
            return issued
    raise Refusal("the auth service answered without a token")


def _password(file: Path | None) -> str:
    if file is None:
        given: str = os.environ.get("ROOMWIRE_PASSWORD") or click.prompt(
            "Password", hide_input=True, err=True
        )
        return given
    # A password may begin or end with blanks, but an editor adds the end of the last line.
    return text_of(file).removesuffix("\n")
