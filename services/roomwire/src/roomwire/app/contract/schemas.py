"""JSON schemas of Python types, as AsyncAPI takes them: draft 7. Pure.

msgspec makes them. What differs from its dialect is translated: tuples, bytes, which Socket.IO sends as attachments, and what
stands beside a reference, which draft 7 ignores.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

Schema = Mapping[str, Any]
Components = Mapping[str, Schema]

BINARY: Final = "x-roomwire-binary"
"""Marks a schema: the value is an attachment of the packet, which JSON has no type for."""
COMPONENTS: Final = "#/components/schemas/"


class Schemas:
    """The schemas of types, with one set of components.

    Args:
        types: All types that will be asked for.

    Attributes:
        components: The types that schemas refer to, by name.

    """

    def __init__(self, types: Sequence[object]) -> None:
        known = [type_ for type_ in types if _is_known(type_)]
        schemas, components = msgspec.json.schema_components(known, ref_template=COMPONENTS + "{name}")
        self.components: Components = {name: draft_7(components[name]) for name in sorted(components)}
        # Types need not be hashable.
        self._schemas = [(type_, draft_7(schema)) for type_, schema in zip(known, schemas, strict=True)]

    def of(self, type_: object) -> Schema | None:
        """Return the schema of a type; None if nothing is known of its values."""
        return next((schema for known, schema in self._schemas if known is type_ or known == type_), None)


def draft_7(schema: Any) -> Any:
    """Return a schema of msgspec's in the words of draft 7."""
    if isinstance(schema, list):
        return [draft_7(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    if schema.get("contentEncoding") == "base64":
        return {BINARY: True}
    made = {
        name: {each: draft_7(inner) for each, inner in value.items()}
        if name == "properties"
        else value
        if name in {"default", "const", "enum", "examples"}
        else draft_7(value)
        for name, value in schema.items()
        if name not in {"discriminator", "prefixItems"}
    }
    if "prefixItems" in schema:
        made |= {
            "items": draft_7(schema["prefixItems"]),
            "additionalItems": draft_7(schema.get("items", True)),
        }
    return made


def has_schema(type_: object) -> bool:
    """Return whether msgspec can write a schema of a type, even one that any value fits."""
    return _schema_of(type_) is not None


def _is_known(type_: object) -> bool:
    """Return whether msgspec knows the values of a type."""
    return bool(_schema_of(type_))


def _schema_of(type_: object) -> Schema | None:
    try:
        (schema,), _ = msgspec.json.schema_components([type_])
    except (TypeError, ValueError):
        return None
    return schema
