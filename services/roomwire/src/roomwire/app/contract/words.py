"""Shows JSON schemas as types in TypeScript, each with an example. Pure.

The schemas are those of `roomwire.app.contract.schemas`. A schema that has no equivalent here is shown as `unknown`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from roomwire.app.contract.schemas import BINARY, Components, Schema

_NONE: Final[Components] = {}
_DEEPEST: Final = 6
"""Depth to which nested types are written out, because a type may contain itself."""
_PLAIN: Final[Mapping[str, str]] = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_BYTES: Final = "ArrayBuffer | Uint8Array"
"""What browsers, and Node, give an attachment as, and take for one."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NO_WORD: Final = re.compile(r"[.-]")
_EXAMPLES: Final[Mapping[str, object]] = {"string": "", "integer": 0, "number": 0, "boolean": False}


def shown(schema: Schema, components: Components = _NONE, *, depth: int = 0) -> str:
    """Return a type in TypeScript.

    Args:
        schema: The schema of the type.
        components: The types that it refers to by `$ref`, by name, which are written out. A type that is not among them is shown by
            its name. Default: none is written out.
        depth: Number of types that contain it.

    """
    if depth > _DEEPEST:
        return "unknown"
    if "$ref" in schema and name_of(schema) not in components:
        return identifier(name_of(schema))
    schema = resolved(schema, components)
    if values := values_of(schema):
        return " | ".join(map(json.dumps, values))
    for join, union in ((" | ", schema.get("anyOf")), (" & ", schema.get("allOf"))):
        if union is not None:
            return join.join(dict.fromkeys(shown(each, components, depth=depth + 1) for each in union))
    return _shown_as(schema, components, depth)


def _shown_as(schema: Schema, components: Components, depth: int) -> str:
    """Return a type that is no constant and no union."""
    if schema.get(BINARY):
        return _BYTES
    if schema.get("type") == "array":
        return _array(schema, components, depth)
    if schema.get("type") == "object":
        return _object(schema, components, depth)
    return _PLAIN.get(str(schema.get("type")), "unknown")


def example(schema: Schema, components: Components, *, depth: int = 0) -> object:
    """Return the smallest value of a type that msgspec's schema of it allows.

    Args:
        schema: The schema of the type.
        components: The types that it refers to by `$ref`, by name.
        depth: Number of types that contain it.

    """
    schema = {} if depth > _DEEPEST else resolved(schema, components)
    values = [schema["default"]] if "default" in schema else values_of(schema)
    if values:
        return values[0]
    if schema.get(BINARY):
        # In JSON, base64.
        return ""
    if "anyOf" in schema:
        return example(schema["anyOf"][0], components, depth=depth + 1)
    if schema.get("type") == "array":
        items = schema.get("items")
        members = items if isinstance(items, list) else ()
        return [example(each, components, depth=depth + 1) for each in members]
    if schema.get("type") == "object":
        required: Sequence[str] = schema.get("required", ())
        return {name: example(schema["properties"][name], components, depth=depth + 1) for name in required}
    return _EXAMPLES.get(str(schema.get("type")))


def key(name: str) -> str:
    """Return the name of a property as TypeScript writes it."""
    return name if _PLAIN_KEY.fullmatch(name) else json.dumps(name)


def identifier(name: str) -> str:
    """Return the name of a component as TypeScript writes it; different names stay different."""
    return _NO_WORD.sub("$", name)


def name_of(reference: Schema) -> str:
    """Return the name of the type that a schema refers to."""
    return str(reference["$ref"]).rpartition("/")[2]


def resolved(schema: Schema, components: Components) -> Schema:
    """Return the schema that a reference stands for, or a schema that is none as it is."""
    return components[name_of(schema)] if "$ref" in schema else schema


def values_of(schema: Schema) -> Sequence[object]:
    """Return all values of a constant or an enumeration, or nothing for any other type."""
    return [schema["const"]] if "const" in schema else schema.get("enum", ())


def _array(schema: Schema, components: Components, depth: int) -> str:
    items = schema.get("items")
    if isinstance(items, list):
        return f"[{', '.join(shown(each, components, depth=depth + 1) for each in items)}]"
    inner = shown(items, components, depth=depth + 1) if isinstance(items, Mapping) else "unknown"
    return f"({inner})[]" if " | " in inner else f"{inner}[]"


def _object(schema: Schema, components: Components, depth: int) -> str:
    properties = schema.get("properties")
    if properties is None:
        values = schema.get("additionalProperties")
        inner = shown(values, components, depth=depth + 1) if isinstance(values, Mapping) else "unknown"
        return f"{{ [key: string]: {inner} }}"
    required = schema.get("required", ())
    fields = [
        f"{key(name)}{'' if name in required else '?'}: {shown(each, components, depth=depth + 1)}"
        for name, each in properties.items()
    ]
    return f"{{ {'; '.join(fields)} }}" if fields else "{}"
