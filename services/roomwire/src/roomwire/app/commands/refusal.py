"""The error of a command that cannot do its task."""

from typing import IO, Any

import click


class Refusal(click.ClickException):
    """A command ends with status 1; the message is one sentence for the user of the terminal."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence after the command's name, in the form of errors of settings."""
        click.echo(f"roomwire: {self.message}", file=file, err=True)
