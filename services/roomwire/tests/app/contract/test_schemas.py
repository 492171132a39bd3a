"""Types as JSON schemas of draft 7."""

from typing import Annotated, Any

import msgspec
import pytest

from roomwire.app.contract.schemas import Schemas


class Cat(msgspec.Struct, tag=True):
    lives: int
    mother: Annotated["Cat | None", msgspec.Meta(description="If she is known.")] = None


class Dog(msgspec.Struct, tag=True):
    picture: bytes = b""


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        (int, {"type": "integer"}),
        (bytes, {"x-roomwire-binary": True}),
        (
            tuple[int, str],
            {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": [{"type": "integer"}, {"type": "string"}],
                "additionalItems": False,
            },
        ),
        (Cat | Dog, {"anyOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]}),
    ],
    ids=str,
)
def test_a_type_is_written_in_the_words_of_draft_7(type_, schema):
    assert schema == Schemas([type_]).of(type_)


def test_all_schemas_are_of_draft_7_and_the_components_are_in_order():
    import jsonschema

    schemas = Schemas([Dog | Cat, dict[str, tuple[int, ...]], set[float]])

    assert ["Cat", "Dog"] == [*schemas.components]
    for schema in schemas.components.values():
        jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("type_", [Any, type, "no type"], ids=str)
def test_of_a_type_that_says_nothing_of_its_values_there_is_no_schema(type_):
    assert Schemas([type_, int]).of(type_) is None


def test_a_type_that_was_not_asked_for_has_no_schema():
    assert Schemas([int]).of(str) is None
