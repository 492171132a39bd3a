"""`roomwire tail`: the events that a client of a running deployment receives."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from roomwire.app.commands.follower import Emitted, Follower
from roomwire.app.commands.remote import Url, checked_url
from roomwire.app.commands.secret import read_secret, token_options
from roomwire.app.commands.token import guest_token


class _Enough(Exception):
    """The requested number of events has arrived."""


@click.command("tail")
@click.argument("url", callback=checked_url)
@click.option("--namespace", default="/", show_default=True, help="Socket.IO namespace.")
@click.option(
    "--emit",
    "emits",
    multiple=True,
    metavar="JSON",
    help='Emit an event when a session begins, to join a room for example: \'["join", "den"]\' has its name and arguments. '
    "The option can be repeated.",
)
@click.option(
    "--guest", is_flag=True, help="Connect with a token that the auth service at URL issues to a guest."
)
@click.option("--count", type=click.IntRange(1), help="End after this number of events.")
@token_options
def tail(
    url: Url,
    namespace: str,
    emits: Sequence[str],
    guest: bool,  # noqa: FBT001 - Click calls it by names
    count: int | None,
    token: str | None,
    token_file: Path | None,
) -> None:
    """Print each event that a client receives at URL, for example http://localhost:3000, until Ctrl-C.

    Standard output has one line of JSON for each event, with `time`, `event` and `args`; the acknowledgement of an emitted event has
    `ack` in place of `event`. The error output says when the client is connected, and whether its session is recovered after its
    connection was lost or events are missing.

    The status is 0 after Ctrl-C or --count, and 1 if the server cannot be reached or refuses the client.
    """
    said = [_emitted(text) for text in emits]
    secret = read_secret(token, token_file)
    if guest and secret:
        raise click.UsageError("Give a token or --guest, not both.")
    left = count

    def hear(kind: str, name: str, args: Sequence[Any]) -> None:
        nonlocal left
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), kind: name, "args": args}
        click.echo(msgspec.json.encode(line))
        if left is not None and kind == "event":
            left -= 1
            if not left:
                raise _Enough

    follower = Follower(
        url,
        namespace=namespace,
        token=guest_token(url) if guest else secret,
        emits=said,
        hear=hear,
        tell=lambda sentence: click.echo(sentence, err=True),
    )
    try:
        with contextlib.suppress(_Enough, KeyboardInterrupt):
            asyncio.run(follower.follow())
    except BrokenPipeError:
        # The reader of the lines has gone. The interpreter must not fail when it flushes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _emitted(text: str) -> Emitted:
    try:
        match msgspec.json.decode(text):
            case [str(event), *args]:
                return Emitted(event, args)
    except msgspec.DecodeError:
        pass
    raise click.UsageError(f"--emit {text}: write a JSON array of an event's name and its arguments.")
