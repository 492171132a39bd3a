"""Reads the secrets of commands from a file or the environment, so that no list of processes shows them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from roomwire.app.commands.refusal import Refusal

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def token_options(command: _Command) -> _Command:
    """Give a command the options `token` and `token_file`; `read_secret` makes one of them."""
    options = (
        click.option(
            "--token-file", type=_FILE, help="File that holds the token or the API key; it wins over --token."
        ),
        click.option(
            "--token",
            envvar="ROOMWIRE_TOKEN",
            show_envvar=True,
            help="Token or API key. Other users of this machine can read a command line: prefer the variable or the file.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def read_secret(value: str | None, file: Path | None) -> str:
    """Return a secret without surrounding blanks, or an empty text if there is none.

    Args:
        value: The value from the command line or the environment.
        file: The file that holds the secret; it takes precedence.

    Raises:
        Refusal: The file cannot be read, or a header cannot carry the secret. The message does not show the secret.

    """
    secret = (text_of(file) if file else value or "").strip()
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise Refusal("the token contains invalid characters: give its text only")
    return secret


def text_of(file: Path) -> str:
    """Return the text of a file.

    Raises:
        Refusal: The file cannot be read, or is not text.

    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}"
        ) from None
