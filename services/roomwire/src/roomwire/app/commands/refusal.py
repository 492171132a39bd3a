"""Ends a command that cannot do what it was asked to do."""

from typing import IO, Any

import click


class Refusal(click.ClickException):
    """Raised by a command that ends with status 1; the message is one sentence for the person at the terminal."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence behind the command's name, as errors of settings are printed."""
        click.echo(f"roomwire: {self.message}", file=file, err=True)
