"""Writes the types of an application's events for the official client in TypeScript. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from roomwire.app.contract.document import CODES
from roomwire.app.contract.reading import Contract, Interface, Message, Received
from roomwire.app.contract.schemas import Schema
from roomwire.app.contract.words import identifier, key, shown

_HEAD: Final = """\
// Written by `roomwire contract --typescript`: do not edit.
//
//     const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
//
// Where recovery is offered, the last argument of an event is its offset, which a client has no use for.
// The server may emit further events, and errors with further codes, than this file knows."""


def typescript_of(contract: Contract) -> str:
    """Return a module with the types of an application's events.

    Args:
        contract: The application's contract.

    """
    lines = [_HEAD]
    if contract.not_known:
        lines += ["//", "// Not known:", *(f"// - {sentence}" for sentence in contract.not_known)]
    for name, schema in contract.components.items():
        lines += ["", *_component(name, schema)]
    lines += ["", "/** The namespaces of the server. */", "export interface Namespaces {"]
    for name, interface in contract.namespaces.items():
        lines += [f"  {line}" if line else "" for line in _namespace(name, interface)]
    lines.append("}")
    default = ' = "/"' if "/" in contract.namespaces else ""
    for type_, part, summary in (
        ("ServerToClientEvents", "serverToClient", "What a client receives in a namespace."),
        ("ClientToServerEvents", "clientToServer", "What a client may send in a namespace."),
        ("Auth", "auth", "The `auth` payload with which a client connects to a namespace."),
    ):
        parameter = f"N extends keyof Namespaces{default}"
        lines += ["", *_comment(summary), f'export type {type_}<{parameter}> = Namespaces[N]["{part}"];']
    return "\n".join([*lines, ""])


def _component(name: str, schema: Schema) -> Iterator[str]:
    yield from _comment(str(schema.get("description", "")).partition("\n")[0])
    properties = schema.get("properties")
    if properties is None:
        yield f"export type {identifier(name)} = {shown(schema)};"
        return
    yield f"export interface {identifier(name)} {{"
    required = schema.get("required", ())
    for field, inner in properties.items():
        yield f"  {key(field)}{'' if field in required else '?'}: {_codes(inner) or shown(inner)};"
    yield "}"


def _codes(schema: Schema) -> str:
    """Return the codes of errors, as a type that other texts fit as well; empty for another schema."""
    if CODES not in schema:
        return ""
    return " | ".join([*(f'"{code}"' for code in schema[CODES]), "(string & {})"])


def _namespace(name: str, interface: Interface) -> Iterator[str]:
    yield from _comment(interface.summary)
    yield f"{key(name)}: {{"
    token = "" if interface.auth_mode == "off" else " & { token?: string }"
    yield f"  auth: {shown(interface.connection.message.payload)}{token};"
    yield "  clientToServer: {"
    for received in interface.received.values():
        yield from (f"    {line}" for line in _received(received, interface.failed))
    yield "  };"
    yield "  serverToClient: {"
    for message in interface.sent.values():
        yield from (f"    {line}" for line in _comment(message.summary))
        yield f"    {key(message.name)}: ({_sent(message)}) => void;"
    yield "  };"
    yield "};"


def _received(received: Received, failed: Schema) -> Iterator[str]:
    message = received.message
    yield from _comment(message.summary)
    if message.is_undeclared:
        yield f"{key(message.name)}: (...args: any[]) => void;"
        return
    ack, is_awaited = _ack(received.ack or {}, failed)
    items, least = _items(message.payload)
    if is_awaited and least == len(items):
        parameters = ", ".join([*_named(message.names, items, least), f"ack: {ack}"])
        yield f"{key(message.name)}: ({parameters}) => void;"
        return
    # TypeScript has no optional argument before the ack: each number of arguments is a form of its own.
    whole = [] if is_awaited else [f"[{', '.join(_named(message.names, items, least))}]"]
    awaiting = [
        f"[{', '.join([*_named(message.names, items[:count], count), f'ack: {ack}'])}]"
        for count in range(least, len(items) + 1)
    ]
    yield f"{key(message.name)}: (...args: {' | '.join([*whole, *awaiting])}) => void;"


def _ack(schema: Schema, failed: Schema) -> tuple[str, bool]:
    """Return the type of the callback, and whether an event that succeeds answers something."""
    forms = schema.get("anyOf", [schema])
    if not all(_is_list(form) for form in forms):
        listed = [_form(form) for form in forms]
        if all("items" in form for form in forms):
            return f"(...answer: {' | '.join([*listed, f'[failed: {shown(failed)}]'])}) => void", True
        return "(...answer: unknown[]) => void", False
    counts = {len(_items(form)[0]) for form in forms}
    if counts <= {0, 1}:
        types = [shown(item) for form in forms for item in _items(form)[0]]
        name = "answer" if types else "failed"
        optional = "?" if 0 in counts else ""
        return f"({name}{optional}: {' | '.join([*types, shown(failed)])}) => void", bool(types)
    listed = [*(_form(form) for form in forms), f"[failed: {shown(failed)}]"]
    return f"(...answer: {' | '.join(listed)}) => void", True


def _form(schema: Schema) -> str:
    """Return the arguments of an ack as a tuple or an array."""
    return shown(schema) if "items" in schema else "[]"


def _is_list(schema: Schema) -> bool:
    """Say whether a schema tells each of the arguments."""
    return schema.get("maxItems") == 0 or isinstance(schema.get("items"), list)


def _items(schema: Schema) -> tuple[Sequence[Schema], int]:
    """Return the schemas of the arguments, and how many there are at least."""
    return schema.get("items", []), schema.get("minItems", 0)


def _sent(message: Message) -> str:
    """Return the parameters of a listener. The last one is the event's offset, where recovery is offered."""
    if not _is_list(message.payload):
        return "...args: unknown[]"
    items, least = _items(message.payload)
    # Where an argument is missing, the offset is in its place.
    items = [*items[:least], *({"anyOf": [item, {"type": "string"}]} for item in items[least:])]
    return ", ".join([*_named(message.names, items, least), "offset?: string"])


def _named(names: Sequence[str], items: Sequence[Schema], least: int) -> Sequence[str]:
    return [
        f"{_parameter(names, index)}{'' if index < least else '?'}: {shown(item)}"
        for index, item in enumerate(items)
    ]


def _parameter(names: Sequence[str], index: int) -> str:
    name = names[index] if index < len(names) else ""
    # A name of Python's may be a word of TypeScript's.
    return f"{name}_" if name in _RESERVED else name or f"argument{index + 1}"


def _comment(text: str) -> Sequence[str]:
    """Return a text as a comment in one line; none for an empty text."""
    safe = " ".join(text.split()).replace("*/", "* /")
    return [f"/** {safe} */"] if safe else []


_RESERVED: Final = frozenset(
    {
        "ack",
        "arguments",
        "case",
        "catch",
        "const",
        "debugger",
        "default",
        "delete",
        "do",
        "enum",
        "eval",
        "export",
        "extends",
        "false",
        "function",
        "implements",
        "instanceof",
        "interface",
        "let",
        "new",
        "null",
        "package",
        "private",
        "protected",
        "public",
        "static",
        "super",
        "switch",
        "this",
        "throw",
        "true",
        "typeof",
        "var",
        "void",
    }
)
