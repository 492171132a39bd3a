"""Whether every value of one JSON schema is a value of another. Pure.

It is exact for what msgspec writes of types. Where it cannot tell, as for two regular expressions, it says that the values may
differ: a change that nothing shows to be safe is not called safe.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, cast

from roomwire.app.contract.schemas import Components, Schema
from roomwire.app.contract.words import name_of, resolved, shown, values_of

_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EQUAL: Final = (
    "pattern",
    "format",
    "multipleOf",
    "contentEncoding",
    "uniqueItems",
    "x-roomwire-binary",
    "allOf",
)


class Problem(NamedTuple):
    """Why a value of a schema may be none of another.

    Attributes:
        kind: `missing`: a field that is needed may be missing. `dropped`: the other schema has no such field. `value`: a constant is
            none of its values. `type`: the types differ. `bound`: a bound is wider, or may be.
        path: What the schemas are of.
        narrow: The value, the type, or the bound of the schema whose values have to fit; empty for a bound that it has not.
        wide: The same of the other schema.

    """

    kind: Literal["missing", "dropped", "value", "type", "bound"]
    path: str
    narrow: str = ""
    wide: str = ""


@dataclass
class Within:
    """Compares the schemas of two documents.

    Args:
        narrow: The components of the schemas whose values have to fit.
        wide: The components of the schemas that they have to fit into.
        drops_fields: Whether a field that the wide schema does not name is lost data. Otherwise it is read by nothing, and fits.

    """

    narrow: Components
    wide: Components
    drops_fields: bool
    _assumed: set[tuple[str, str]] = field(default_factory=set)

    def problems(self, narrow: Schema, wide: Schema, path: str) -> Iterator[Problem]:
        """Yield why a value of the first schema may be none of the second one.

        Args:
            narrow: The schema whose values have to fit.
            wide: The schema that they have to fit into.
            path: What the schemas are of.

        """
        if "$ref" in narrow and "$ref" in wide:
            pair = name_of(narrow), name_of(wide)
            # Types may hold themselves: what is being compared is taken to fit.
            if pair in self._assumed:
                return
            self._assumed.add(pair)
        named = Problem("type", path, shown(narrow), shown(wide))
        narrow, wide = resolved(narrow, self.narrow), resolved(wide, self.wide)
        if not _bare(wide):
            return
        if "anyOf" in narrow:
            for each in narrow["anyOf"]:
                yield from self.problems(each, wide, path)
        elif "anyOf" in wide:
            yield from self._in_one_of(narrow, wide, named)
        elif values := values_of(narrow):
            yield from self._values(values, wide, path)
        elif values_of(wide) or not _is_type_of(narrow.get("type"), wide.get("type")):
            yield named
        else:
            yield from self._bounds(narrow, wide, path)
            yield from self._members(narrow, wide, path)

    def _in_one_of(self, narrow: Schema, wide: Schema, named: Problem) -> Iterator[Problem]:
        """Compare a schema with a union. Only a member of its own kind can take it, whose problems then say the most."""
        values = values_of(narrow)
        if len(values) > 1:
            for value in values:
                only = {"const": value}
                yield from self._in_one_of(only, wide, named._replace(kind="value", narrow=shown(only)))
            return
        attempts = []
        for each in wide["anyOf"]:
            before = {*self._assumed}
            problems = [*self.problems(narrow, each, named.path)]
            if not problems:
                return
            self._assumed = before
            member = resolved(each, self.wide)
            if narrow.get("type") == member.get("type") and _tag(narrow) == _tag(member):
                attempts.append(problems)
        yield from attempts[0] if len(attempts) == 1 else [named]

    def _values(self, values: Sequence[object], wide: Schema, path: str) -> Iterator[Problem]:
        """Compare the only values of a schema with another."""
        allowed = values_of(wide)
        for value in values:
            fits = value in allowed if allowed else _fits(value, wide)
            if not fits:
                yield Problem("value", path, shown({"const": value}, {}), shown(wide, {}))

    def _bounds(self, narrow: Schema, wide: Schema, path: str) -> Iterator[Problem]:
        for names, is_inside in ((_LEAST, _at_least), (_MOST, _at_most)):
            for name in names:
                if name in wide and not (name in narrow and is_inside(narrow[name], wide[name])):
                    yield _bound(path, name, narrow, wide)
        for name in _EQUAL:
            if name in wide and narrow.get(name) != wide[name]:
                yield _bound(path, name, narrow, wide)

    def _members(self, narrow: Schema, wide: Schema, path: str) -> Iterator[Problem]:
        if wide.get("type") == "array":
            yield from self._items(narrow, wide, path)
        elif wide.get("type") == "object":
            yield from self._fields(narrow, wide, path)

    def _items(self, narrow: Schema, wide: Schema, path: str) -> Iterator[Problem]:
        narrow_items, wide_items = narrow.get("items", {}), wide.get("items", {})
        lists = [items for items in (narrow_items, wide_items) if isinstance(items, list)]
        if not lists:
            yield from self.problems(narrow_items, wide_items, f"{path}[]")
            return
        for index in range(len(lists[0])):
            yield from self.problems(_item(narrow_items, index), _item(wide_items, index), f"{path}[{index}]")

    def _fields(self, narrow: Schema, wide: Schema, path: str) -> Iterator[Problem]:
        fields: Mapping[str, Schema] = narrow.get("properties", {})
        known: Mapping[str, Schema] = wide.get("properties", {})
        for name in wide.get("required", ()):
            if name not in narrow.get("required", ()):
                yield Problem("missing", f"{path}.{name}")
        others = wide.get("additionalProperties", True)
        for name, each in fields.items():
            if name in known:
                yield from self.problems(each, known[name], f"{path}.{name}")
            elif isinstance(others, Mapping):
                yield from self.problems(each, others, f"{path}.{name}")
            elif self.drops_fields:
                yield Problem("dropped", f"{path}.{name}")
        rest = narrow.get("additionalProperties", True)
        if isinstance(others, Mapping) and not fields and rest is not False:
            yield from self.problems(rest if isinstance(rest, Mapping) else {}, others, f"{path}.*")


def _item(items: Any, index: int) -> Schema:
    """Return the schema of an item: its own in a list of schemas, or that of all items."""
    if not isinstance(items, list):
        return cast("Schema", items)
    return cast("Schema", items[index]) if index < len(items) else {}


def _bare(schema: Schema) -> Schema:
    """Return a schema without what says nothing of its values; a schema of anything is empty then."""
    return {
        name: value
        for name, value in schema.items()
        if name not in {"title", "description", "default", "examples"}
    }


def _is_type_of(narrow: object, wide: object) -> bool:
    return wide is None or narrow == wide or (narrow == "integer" and wide == "number")


def _tag(schema: Schema) -> Any:
    """Return the constants among the required fields of an object, which tell the members of a union apart."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    return {
        name: values_of(properties[name])
        for name in schema.get("required", ())
        if values_of(properties.get(name, {}))
    }


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _fits(value: object, schema: Schema) -> bool:
    """Return whether a constant is a value of a schema without constants; a bound beside the type makes it unknown."""
    if any(name in schema for name in (*_LEAST, *_MOST, *_EQUAL)):
        return False
    type_ = schema.get("type")
    is_bool = isinstance(value, bool)
    return type_ is None or (
        isinstance(value, _KINDS.get(str(type_), ())) and is_bool == (type_ == "boolean")
    )


def _at_least(bound: Any, least: Any) -> bool:
    return bool(bound >= least)


def _at_most(bound: Any, most: Any) -> bool:
    return bool(bound <= most)


def _bound(path: str, name: str, narrow: Schema, wide: Schema) -> Problem:
    return Problem("bound", path, f"{name} {narrow[name]}" if name in narrow else "", f"{name} {wide[name]}")
