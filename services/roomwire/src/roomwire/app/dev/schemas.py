"""Shows JSON schemas as types in TypeScript, each with an example. Pure.

The schemas are msgspec's. A schema that has no equivalent here is shown as `unknown`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

Schema = Mapping[str, Any]
Components = Mapping[str, Schema]

_DEEPEST: Final = 6
"""Depth to which nested types are written out, because a type may contain itself."""
_PLAIN: Final[Mapping[str, str]] = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_EXAMPLES: Final[Mapping[str, object]] = {"string": "", "integer": 0, "number": 0, "boolean": False}


def shown(schema: Schema, components: Components, *, depth: int = 0) -> str:
    """Return a type in TypeScript.

    Args:
        schema: The schema of the type.
        components: The types that it refers to by `$ref`, by name.
        depth: Number of types that contain it.

    """
    if depth > _DEEPEST:
        return "unknown"
    schema = _resolved(schema, components)
    if values := _values(schema):
        return " | ".join(map(json.dumps, values))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(shown(each, components, depth=depth + 1) for each in schema["anyOf"]))
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
    schema = {} if depth > _DEEPEST else _resolved(schema, components)
    values = [schema["default"]] if "default" in schema else _values(schema)
    if values:
        return values[0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], components, depth=depth + 1)
    if schema.get("type") == "array":
        return [example(each, components, depth=depth + 1) for each in schema.get("prefixItems", ())]
    if schema.get("type") == "object":
        required: Sequence[str] = schema.get("required", ())
        return {name: example(schema["properties"][name], components, depth=depth + 1) for name in required}
    return _EXAMPLES.get(str(schema.get("type")))


def _resolved(schema: Schema, components: Components) -> Schema:
    return components[schema["$ref"]] if "$ref" in schema else schema


def _values(schema: Schema) -> Sequence[object]:
    """Return all values of a constant or an enumeration, or nothing for any other type."""
    return [schema["const"]] if "const" in schema else schema.get("enum", ())


def _array(schema: Schema, components: Components, depth: int) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(shown(each, components, depth=depth + 1) for each in schema['prefixItems'])}]"
    items = schema.get("items")
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
        f"{name}{'' if name in required else '?'}: {shown(each, components, depth=depth + 1)}"
        for name, each in properties.items()
    ]
    return f"{{ {'; '.join(fields)} }}" if fields else "{}"
