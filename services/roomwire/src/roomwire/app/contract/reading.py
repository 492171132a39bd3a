"""Reads a document that `roomwire contract` wrote, today or earlier. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from roomwire.app.contract.document import (
    ARGUMENTS,
    AUTH_MODE,
    AUTHENTICATE,
    CONNECT,
    FAILED,
    GUARDS,
    NOT_KNOWN,
    UNDECLARED,
    AuthMode,
    Document,
)
from roomwire.app.contract.schemas import Components, Schema


class NoContract(ValueError):
    """A text is not a document that the command wrote."""


class Message(msgspec.Struct, frozen=True):
    """A message of a channel.

    Attributes:
        name: The event's name.
        payload: The schema of its arguments.
        summary: What it is for.
        names: The names of the arguments.
        is_undeclared: Whether nothing is known of its arguments.

    """

    name: str
    payload: Schema
    summary: str = ""
    names: Sequence[str] = msgspec.field(name=ARGUMENTS, default=())
    is_undeclared: bool = msgspec.field(name=UNDECLARED, default=False)


class _Reference(msgspec.Struct, frozen=True):
    ref: str = msgspec.field(name="$ref")

    @property
    def id(self) -> str:
        return self.ref.rpartition("/")[2]


class _Reply(msgspec.Struct, frozen=True):
    messages: Sequence[_Reference]


class _Operation(msgspec.Struct, frozen=True):
    action: Literal["receive", "send"]
    channel: _Reference
    messages: Sequence[_Reference]
    reply: _Reply | None = None
    guards: Sequence[str] = msgspec.field(name=GUARDS, default=())
    auth_mode: AuthMode = msgspec.field(name=AUTH_MODE, default="off")
    authenticate: str = msgspec.field(name=AUTHENTICATE, default="")


class _Parameter(msgspec.Struct, frozen=True):
    enum: Sequence[str] = ()


class _Channel(msgspec.Struct, frozen=True):
    address: str
    messages: Mapping[str, Message]
    summary: str = ""
    parameters: Mapping[str, _Parameter] = {}


class _Info(msgspec.Struct, frozen=True):
    title: str
    not_known: Sequence[str] = msgspec.field(name=NOT_KNOWN, default=())


class _Components(msgspec.Struct, frozen=True):
    schemas: Components


class _Written(msgspec.Struct, frozen=True):
    asyncapi: str
    info: _Info
    channels: Mapping[str, _Channel]
    operations: Mapping[str, _Operation]
    components: _Components


class Received(msgspec.Struct, frozen=True):
    """What a client sends.

    Attributes:
        message: The event and its arguments; of a connection, the `auth` payload.
        ack: The schema of the acks that tell of success; None: there is no ack.
        guards: What may refuse it.

    """

    message: Message
    ack: Schema | None
    guards: Sequence[str]


class Interface(msgspec.Struct, frozen=True):
    """A namespace.

    Attributes:
        summary: What its gateway says of itself.
        connection: What a client sends when it connects.
        auth_mode: Whether it needs a token.
        authenticate: What else decides about handshakes; empty: nothing does.
        received: What a client sends, by event.
        sent: What a client receives, by event.
        failed: The schema of the argument of an ack that tells of an error.
        parameters: The parameters in its name if it is a pattern, each with the values that it may have; empty: any.

    """

    summary: str
    connection: Received
    auth_mode: AuthMode
    authenticate: str
    received: Mapping[str, Received]
    sent: Mapping[str, Message]
    failed: Schema
    parameters: Mapping[str, Sequence[str]] = {}


class Contract(msgspec.Struct, frozen=True):
    """A document, read.

    Attributes:
        title: The application's name.
        not_known: What it does not say.
        namespaces: Its namespaces by name.
        components: The types that schemas refer to, by name.

    """

    title: str
    not_known: Sequence[str]
    namespaces: Mapping[str, Interface]
    components: Components


def read(document: Document) -> Contract:
    """Return what a document says.

    Raises:
        NoContract: It is not a document that the command wrote.

    """
    try:
        written = msgspec.convert(document, _Written)
        namespaces = {each.address: _interface(id_, each, written) for id_, each in written.channels.items()}
    except (msgspec.ValidationError, KeyError, StopIteration) as error:
        raise NoContract(str(error)) from error
    return Contract(written.info.title, written.info.not_known, namespaces, written.components.schemas)


def read_text(text: bytes) -> Contract:
    """Return what the text of a document says.

    Raises:
        NoContract: It is not a document that the command wrote.

    """
    try:
        document: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise NoContract(str(error)) from error
    return read(document)


def _interface(id_: str, channel: _Channel, written: _Written) -> Interface:
    operations = [each for each in written.operations.values() if each.channel.id == id_]
    received = {each.message.name: each for each in _received(channel, operations)}
    connection = next(each for each in operations if each.messages[0].id == CONNECT)
    return Interface(
        channel.summary,
        received.pop(CONNECT),
        connection.auth_mode,
        connection.authenticate,
        received,
        {
            message.name: message
            for each in operations
            if each.action == "send"
            for message in (channel.messages[each.messages[0].id],)
        },
        channel.messages[FAILED].payload["items"][0],
        {name: each.enum for name, each in channel.parameters.items()},
    )


def _received(channel: _Channel, operations: Sequence[_Operation]) -> Iterator[Received]:
    for each in operations:
        if each.action == "receive":
            message = channel.messages[each.messages[0].id]
            acks = [one.id for one in each.reply.messages if one.id.endswith(".ack")] if each.reply else []
            yield Received(message, channel.messages[acks[0]].payload if acks else None, each.guards)
