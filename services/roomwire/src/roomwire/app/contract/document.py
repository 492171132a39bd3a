"""Writes the AsyncAPI 3 document of an application. Pure.

A namespace is a channel. What a client sends is an operation with the action `receive`, its ack is the reply; what a client
receives is an operation with the action `send`. A pattern of namespaces is a channel with parameters in its address. The payload of an event is the list of its arguments, and so is that of an ack.
Names stand in `name`, as ids take letters, digits, `-` and `_` alone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from roomwire.app.contract.schemas import COMPONENTS, Schema, Schemas
from roomwire.app.contract.surface import Answer, Argument, Incoming, Namespace, Outgoing, Surface

Document = Mapping[str, Any]
AuthMode = Literal["required", "optional", "off"]

NOT_KNOWN: Final = "x-roomwire-not-known"
"""Holds sentences about what the document does not say."""
GUARDS: Final = "x-roomwire-guards"
"""Holds the names of what may refuse an event or a connection."""
AUTH_MODE: Final = "x-roomwire-auth-mode"
"""Holds whether a connection needs a token: `required`, `optional` or `off`."""
CODES: Final = "x-roomwire-codes"
"""Holds the codes that errors have in the program as it was read."""
UNDECLARED: Final = "x-roomwire-undeclared"
"""Marks an event whose arguments nothing declares."""
ARGUMENTS: Final = "x-roomwire-arguments"
"""Holds the names of the arguments, in order."""
AUTHENTICATE: Final = "x-roomwire-authenticate"
"""Holds the name of what decides about handshakes beside tokens."""
FAILED: Final = "failed"
"""The id of the message that is an error's ack."""
CONNECT: Final = "connect"
"""The name of the message that is the `auth` payload of a connection."""

_ESCAPED: Final = re.compile(r"[^A-Za-z0-9_-]")
_ANYTHING: Final[Schema] = {}
_ABOUT: Final = (
    "Written by `roomwire contract`. A namespace of Socket.IO is a channel here, and a payload is the list of an event's or an "
    "ack's arguments. Further events may be emitted by what is neither declared nor in a gateway's own source: other modules, the "
    "HTTP API, an Emitter. Where recovery is offered, an event to a client has one more argument, its offset. A handler may also raise errors with codes that are not listed."
)


def document_of(surface: Surface, *, auth_mode: AuthMode) -> Document:
    """Return the AsyncAPI document of an application.

    Args:
        surface: What the application has.
        auth_mode: Whether clients need a token (ROOMWIRE_AUTH_MODE).

    """
    return _Writer(surface, auth_mode).document()


class _Writer:
    """Writes one document."""

    def __init__(self, surface: Surface, auth_mode: AuthMode) -> None:
        self._surface = surface
        self._auth_mode: AuthMode = auth_mode
        self._schemas = Schemas([type_ for each in surface.namespaces for type_ in each.types()])
        self._error = _free("Failure", self._schemas.components)
        self._operations: dict[str, Document] = {}

    def document(self) -> Document:
        channels = {_channel_id(each.name): self._channel(each) for each in self._surface.namespaces}
        not_known = {NOT_KNOWN: [*self._surface.not_known]} if self._surface.not_known else {}
        return {
            "asyncapi": "3.0.0",
            "info": {
                "title": self._surface.name,
                "version": "unversioned",
                "description": _ABOUT,
                **not_known,
            },
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": self._operations,
            "components": {
                "schemas": {**self._schemas.components, self._error: self._failure()},
                **({} if self._auth_mode == "off" else {"securitySchemes": {"token": _TOKEN}}),
            },
        }

    def _failure(self) -> Schema:
        return {
            "title": self._error,
            "type": "object",
            "properties": {
                "code": {"type": "string", CODES: [*self._surface.codes]},
                "message": {"type": "string"},
                "retryable": {"type": "boolean"},
            },
            "required": ["code", "message", "retryable"],
        }

    def _channel(self, namespace: Namespace) -> Document:
        self._messages: dict[str, Document] = {}
        self._channel_id = _channel_id(namespace.name)
        self._connection(namespace.connection)
        for incoming in namespace.incoming:
            self._receive(incoming)
        for outgoing in namespace.outgoing:
            self._send(outgoing)
        failure = {"$ref": f"{COMPONENTS}{self._error}"}
        self._put_sent(
            "exception", {"payload": _list([failure]), "summary": "An event failed that waits for no ack."}
        )
        acknowledged = {"type": "object", "properties": {"error": failure}, "required": ["error"]}
        self._messages[FAILED] = {
            "name": FAILED,
            "summary": "The ack of an event that failed.",
            "payload": _list([acknowledged]),
        }
        summary = {"summary": namespace.summary} if namespace.summary else {}
        values = {name: {"enum": [*texts]} if texts else {} for name, texts in namespace.parameters.items()}
        parameters = {"parameters": values} if values else {}
        return {"address": namespace.name, **summary, **parameters, "messages": self._messages}

    def _connection(self, connection: Incoming) -> None:
        auth, required = self._auth(connection)
        self._messages[CONNECT] = {
            "name": CONNECT,
            "summary": "The `auth` payload of a connection; without one it is empty.",
            "payload": auth,
        }
        refused = {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "data": {"$ref": f"{COMPONENTS}{self._error}"},
            },
            "required": ["message"],
        }
        self._messages["connect_error"] = {
            "name": "connect_error",
            "summary": "The connection is refused.",
            "payload": refused,
        }
        decider = {AUTHENTICATE: self._surface.authenticate} if self._surface.authenticate else {}
        self._operations[f"{self._channel_id}.{CONNECT}"] = {
            "action": "receive",
            "channel": self._here(),
            "messages": [self._ref(CONNECT)],
            "reply": {
                "channel": self._here(),
                "messages": [self._ref("connect_error")],
            },
            AUTH_MODE: self._auth_mode,
            **required,
            **decider,
            **_guards(connection.guards),
        }

    def _auth(self, connection: Incoming) -> tuple[Schema, Document]:
        """Return the schema of the `auth` payload, and what the operation says of the token in it."""
        arguments = self._arguments(connection.arguments, connection.keys)
        wanted: Schema = _ANYTHING
        if arguments is not None:
            wanted = arguments[0][0] if arguments[0] else {"type": "object"}
        security = [{"$ref": "#/components/securitySchemes/token"}]
        return wanted, {"security": security} if self._auth_mode == "required" else {}

    def _receive(self, incoming: Incoming) -> None:
        id_ = f"receive.{_escaped(incoming.event)}"
        summary = {"summary": incoming.summary} if incoming.summary else {}
        arguments = self._arguments(incoming.arguments, incoming.keys)
        unknown = {UNDECLARED: True} if arguments is None else {}
        self._messages[id_] = {
            "name": incoming.event,
            **summary,
            "payload": {"type": "array"} if arguments is None else _list(*arguments),
            **({} if arguments is None else {ARGUMENTS: self._names(incoming)}),
            **unknown,
        }
        self._messages[f"{id_}.ack"] = {
            "name": f"{incoming.event} (ack)",
            "payload": self._answers(incoming.answers),
        }
        self._operations[f"{self._channel_id}.{id_}"] = {
            "action": "receive",
            "channel": self._here(),
            **summary,
            "messages": [self._ref(id_)],
            "reply": {
                "channel": self._here(),
                "messages": [self._ref(f"{id_}.ack"), self._ref(FAILED)],
            },
            **_guards(incoming.guards),
        }

    def _send(self, outgoing: Outgoing) -> None:
        if outgoing.arguments is None:
            self._put_sent(outgoing.event, {"payload": {"type": "array"}, UNDECLARED: True})
            return
        schemas = [self._schema(each.type) for each in outgoing.arguments]
        required = sum(each.is_required for each in outgoing.arguments)
        names = [each.name for each in outgoing.arguments]
        self._put_sent(outgoing.event, {"payload": _list(schemas, required), ARGUMENTS: names})

    def _put_sent(self, event: str, message: Document) -> None:
        id_ = f"send.{_escaped(event)}"
        self._messages[id_] = {"name": event, **message}
        self._operations[f"{self._channel_id}.{id_}"] = {
            "action": "send",
            "channel": self._here(),
            "messages": [self._ref(id_)],
        }

    def _here(self) -> Document:
        return {"$ref": f"#/channels/{self._channel_id}"}

    def _ref(self, message: str) -> Document:
        return {"$ref": f"#/channels/{self._channel_id}/messages/{message}"}

    def _schema(self, type_: object) -> Schema:
        return self._schemas.of(type_) or _ANYTHING

    def _answers(self, answers: Sequence[Answer] | None) -> Schema:
        """Return the schema of the acks that tell of success."""
        if answers is None:
            return {"type": "array"}
        lists = [
            {"type": "array", "items": self._schema(answer.types[0])}
            if answer.is_repeated
            else _list([self._schema(type_) for type_ in answer.types])
            for answer in answers
        ]
        return lists[0] if len(lists) == 1 else {"anyOf": lists}

    def _arguments(
        self, arguments: Sequence[Argument] | None, keys: Sequence[Argument]
    ) -> tuple[Sequence[Schema], int] | None:
        """Return the schemas of an event's arguments, and how many of them it needs."""
        if arguments is None:
            return None
        schemas = [self._schema(each.type) for each in arguments]
        required = sum(each.is_required for each in arguments)
        if not keys:
            return schemas, required
        keyed = {
            "type": "object",
            "properties": {each.name: self._schema(each.type) for each in keys},
            "required": [each.name for each in keys if each.is_required],
        }
        first = [{"allOf": [schemas[0], keyed]}] if schemas else [keyed]
        return [*first, *schemas[1:]], max(required, int(bool(keyed["required"])))

    def _names(self, incoming: Incoming) -> Sequence[str]:
        plain = [each.name for each in incoming.arguments or ()]
        return plain or (["body"] if incoming.keys else [])


def _list(schemas: Sequence[Schema], required: int | None = None) -> Schema:
    """Return the schema of a list of arguments."""
    least = len(schemas) if required is None else required
    bounds = {"minItems": least, "maxItems": len(schemas)}
    return {"type": "array", **({"items": [*schemas]} if schemas else {}), **bounds}


def _guards(guards: Sequence[str]) -> Document:
    return {GUARDS: [*guards]} if guards else {}


def _channel_id(namespace: str) -> str:
    name = namespace.removeprefix("/")
    if not name:
        return "root"
    # Letters are escaped nowhere else, so that no other namespace has this id.
    return ".72.oot" if name == "root" else _escaped(name)


def _escaped(name: str) -> str:
    """Return a name as an id; different names have different ids."""
    return _ESCAPED.sub(lambda found: f".{ord(found[0]):x}.", name)


def _free(name: str, taken: Mapping[str, object]) -> str:
    """Return a name that no type of the application has."""
    while name in taken:
        name += "_"
    return name


_TOKEN: Final[Document] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token, as `token` of the `auth` payload, in the header `Authorization`, or in the query as `token`.",
}
