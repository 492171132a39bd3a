"""`roomwire publish`: events for the clients of a running deployment, by its HTTP API."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from roomwire.app.commands.refusal import Refusal
from roomwire.app.commands.remote import Url, call, checked_url
from roomwire.app.commands.secret import read_secret, token_options

_PATH: Final = "/api/v1/publish"


@click.command("publish")
@click.argument("url", callback=checked_url)
@click.argument("event")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@click.option("--room", help="Publish to the clients in this room.")
@click.option("--user", help="Publish to all connections of the user with this id.")
@click.option("--everyone", is_flag=True, help="Publish to every client of the namespace.")
@click.option(
    "--except-room", "except_rooms", multiple=True, help="Leave out the members of this room. Repeatable."
)
@click.option("--keeps-history", is_flag=True, help="Store the event in the history of the room as well.")
@click.option("--namespace", default="/", show_default=True, help="Socket.IO namespace.")
@click.option("--id", "id_", default="", help="Publishing again under the same id delivers the event once.")
@token_options
def publish(
    url: Url,
    event: str,
    arguments: Sequence[str],
    room: str | None,
    user: str | None,
    everyone: bool,  # noqa: FBT001 - Click calls it by names
    except_rooms: Sequence[str],
    keeps_history: bool,  # noqa: FBT001 - the same
    namespace: str,
    id_: str,
    token: str | None,
    token_file: Path | None,
) -> None:
    """Publish an EVENT with JSON arguments by the HTTP API at URL, for example http://127.0.0.1:8010.

    Each argument is JSON, so a text needs its quotation marks: '"tea"'. One of --room, --user and --everyone names the recipients.

    The status is 1 if the API refuses it or does not answer; then nothing was published, or it is not known.
    """
    targets = {"room": room, "user": user, "everyone": everyone or None}
    chosen = {name: target for name, target in targets.items() if target is not None}
    if len(chosen) != 1:
        raise click.UsageError("Name the recipients: give one of --room, --user and --everyone.")
    if user is not None and except_rooms:
        raise click.UsageError("Leave out --except-room: --user names one user's connections.")
    if keeps_history and room is None:
        raise click.UsageError(
            "Leave out --keeps-history: a history belongs to one room, which --room names."
        )
    message: dict[str, object] = {
        "namespace": namespace,
        "event": event,
        "args": [_decoded(text) for text in arguments],
        **chosen,
    }
    if id_:
        message["id"] = id_
    if except_rooms:
        message["except_rooms"] = [*except_rooms]
    if keeps_history:
        message["keeps_history"] = True
    secret = read_secret(token, token_file)
    if not secret:
        raise Refusal("the API needs a token or a key: set ROOMWIRE_TOKEN, or give --token-file")
    published = call(url, _PATH, body={"messages": [message]}, token=secret).get("published")
    click.echo(f"{published} event is in the log. The API does not know how many clients receive it.")


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise click.UsageError(
            f"{text} is not JSON; a text needs quotation marks that the shell does not remove: '\"{text}\"'."
        ) from None
