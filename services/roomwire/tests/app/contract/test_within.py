"""Whether all values of one type are values of another: types by pairs, and compared with what msgspec takes."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from roomwire.app.contract.schemas import Schemas
from roomwire.app.contract.within import Within


class Old(msgspec.Struct):
    id: str


class Wider(msgspec.Struct):
    id: str | int


class Longer(msgspec.Struct):
    id: str
    note: str


class Optional(msgspec.Struct):
    id: str
    note: str = ""


class Tree(msgspec.Struct):
    inner: "list[Tree]"


class WiderTree(msgspec.Struct):
    inner: "list[WiderTree] | None"


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    legs: int


Short = Annotated[str, Meta(max_length=5)]
Long = Annotated[str, Meta(max_length=9)]


def problems(narrow, wide, *, drops_fields=True):
    ours, theirs = Schemas([narrow]), Schemas([wide])
    within = Within(ours.components, theirs.components, drops_fields=drops_fields)
    found = within.problems(ours.of(narrow) or {}, theirs.of(wide) or {}, "body")
    return [(problem.kind, problem.path) for problem in found]


@pytest.mark.parametrize(
    ("narrow", "wide", "found"),
    [
        (int, int, []),
        (int, float, []),
        (float, int, [("type", "body")]),
        (str, int, [("type", "body")]),
        (str, str | None, []),
        (str | None, str, [("type", "body")]),
        (Any, str, [("type", "body")]),
        (str, Any, []),
        (Literal["a"], Literal["a", "b"], []),
        (Literal["a", "c"], Literal["a", "b"], [("value", "body")]),
        (Literal["a"], str, []),
        (Literal["a"], Short, [("value", "body")]),
        (str, Literal["a"], [("type", "body")]),
        (Literal["a", 1], str | int, []),
        (Literal["a", 1], str, [("value", "body")]),
        (Literal[True], int, [("value", "body")]),
        (Short, Long, []),
        (Long, Short, [("bound", "body")]),
        (str, Short, [("bound", "body")]),
        (Annotated[int, Meta(ge=2)], Annotated[int, Meta(ge=1)], []),
        (Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=1)], [("bound", "body")]),
        (Annotated[str, Meta(pattern="a")], Annotated[str, Meta(pattern="b")], [("bound", "body")]),
        (list[int], list[float], []),
        (list[str], list[int], [("type", "body[]")]),
        (tuple[int, str], list[int | str], []),
        (tuple[int, str], tuple[int, int], [("type", "body[1]")]),
        (tuple[int], tuple[int, int], [("bound", "body"), ("bound", "body")][:1]),
        (dict[str, int], dict[str, str], [("type", "body.*")]),
        (dict[str, int], dict[str, Any], []),
        (bytes, bytes, []),
        (bytes, str, [("type", "body")]),
        (Old, Old, []),
        (Old, Wider, []),
        (Wider, Old, [("type", "body.id")]),
        (Old, Longer, [("missing", "body.note")]),
        (Longer, Old, [("dropped", "body.note")]),
        (Old, Optional, []),
        (Optional, Longer, [("missing", "body.note")]),
        (Old | None, Longer | None, [("missing", "body.note")]),
        (Tree, WiderTree, []),
        (WiderTree, Tree, [("type", "body.inner")]),
        (Cat, Cat | Dog, []),
        (Cat | Dog, Cat, [("value", "body.type"), ("missing", "body.lives"), ("dropped", "body.legs")]),
    ],
    ids=str,
)
def test_a_type_is_within_another_or_it_is_said_where_it_is_not(narrow, wide, found):
    assert sorted(found) == sorted(problems(narrow, wide))


def test_a_further_field_is_nothing_to_those_who_only_read():
    assert [] == problems(Longer, Old, drops_fields=False)


KINDS = [
    int,
    float,
    bool,
    str,
    Short,
    Annotated[int, Meta(ge=3)],
    Literal["a", "b"],
    Literal["a"],
    list[int],
    list[float | None],
    tuple[int, str],
    dict[str, int],
    Old,
    Optional,
    int | str,
    str | None,
    Old | None,
]
VALUES = [1, 3, 2.5, True, None, "a", "b", "abcdefgh", [], [1], [1, "a"], [None], {}, {"id": "x"}, {"a": 1}]


@given(narrow=st.sampled_from(KINDS), wide=st.sampled_from(KINDS), value=st.sampled_from(VALUES))
def test_what_is_called_within_is_taken_by_msgspec_as_well(narrow, wide, value):
    if not problems(narrow, wide) and _takes(value, narrow):
        assert _takes(value, wide)


def _takes(value, type_):
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True
