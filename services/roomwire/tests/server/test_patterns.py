"""Patterns of namespaces: the names that they match, and their parameters."""

import enum
import re
import uuid
from typing import Annotated

import pytest
from msgspec import Meta

from roomwire.errors import ConfigurationError, InvalidNamespace
from roomwire.server.patterns import MAX_NAME_CHARS, NamespacePattern, converted


class Plan(enum.Enum):
    FREE = "free"
    PAID = "paid"


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("pattern", "name", "parameters"),
    [
        ("/tenant-{tenant}", "/tenant-7", {"tenant": "7"}),
        ("/tenant-{tenant}", "/tenant-a.b_c~d-e", {"tenant": "a.b_c~d-e"}),
        ("/tenant-{tenant}", "/tenant-", None),
        ("/tenant-{tenant}", "/tenant-7/board", None),
        ("/tenant-{tenant}", "/a/tenant-7", None),
        ("/tenant-{tenant}", "/", None),
        ("/{a}/{b}", "/x/y", {"a": "x", "b": "y"}),
        ("/{a}-{b}", "/x-y-z", {"a": "x", "b": "y-z"}),
        ("/{a}-{b}", "/x--y", {"a": "x", "b": "-y"}),
        ("/{a}-x", "/x-x-x", {"a": "x-x"}),
        ("/{a}-x", "/x-x-y", None),
        ("/{a}-x/{b}", "/1-2-x/3", {"a": "1-2", "b": "3"}),
        ("/a.{b}", "/aX7", None),
        (re.compile(r"^/dynamic-(?P<number>\d+)$"), "/dynamic-101", {"number": "101"}),
        (re.compile(r"^/dynamic-(?P<number>\d+)$"), "/dynamic-x", None),
        (re.compile(r"dynamic"), "/a/dynamic/b", {}),
        (re.compile(r"^/a(?P<b>b)?$"), "/a", {"b": ""}),
    ],
)
def test_a_pattern_matches_names_and_tells_their_parameters(pattern, name, parameters):
    assert parameters == NamespacePattern(pattern).parameters_in(name)


@pytest.mark.parametrize(
    "name", ["/tenant-ä", "/tenant-a b", "/tenant-a\n", "/tenant-%41", "/tenant-a:b", "/tenant-a*"]
)
def test_a_name_with_other_characters_is_refused_with_a_code(name):
    for pattern in ("/tenant-{tenant}", re.compile("tenant")):
        with pytest.raises(InvalidNamespace, match="letters, digits"):
            NamespacePattern(pattern).parameters_in(name)


def test_a_name_that_almost_fits_a_template_of_many_parameters_takes_no_time():
    pattern = NamespacePattern("/" + "-".join(f"{{p{number}}}" for number in range(20)) + "/x")

    assert None is pattern.parameters_in("/" + "-" * 120)
    assert None is pattern.parameters_in("/" + "a-" * 60)


def test_a_longer_name_is_refused_before_it_is_matched():
    slow = NamespacePattern(re.compile(r"^/(a+)+$"))

    assert {} == slow.parameters_in("/" + "a" * (MAX_NAME_CHARS - 1))
    with pytest.raises(InvalidNamespace, match="at most 128 characters"):
        slow.parameters_in("/" + "a" * MAX_NAME_CHARS + "b")


@pytest.mark.parametrize(
    "template",
    [
        "/a{}",
        "/a{",
        "/a}",
        "/a{b",
        "/{a}{b}",
        "/{a}-{a}",
        "/{a!r}",
        "/{a:03}",
        "/{a.b}",
        "{a}",
        "/ä-{a}",
        "/{{a}}",
        "/{a} b",
    ],
)
def test_what_is_no_template_is_refused_with_its_text(template):
    with pytest.raises(ConfigurationError, match=re.escape(repr(template))):
        NamespacePattern(template)


def test_a_name_without_braces_is_no_pattern():
    assert None is NamespacePattern.in_name("/tenant-7")
    assert "/tenant-{tenant}" == NamespacePattern.in_name("/tenant-{tenant}").text


def test_patterns_that_differ_in_the_names_of_parameters_have_one_shape():
    assert NamespacePattern("/a-{b}").shape == NamespacePattern("/a-{c}").shape
    assert NamespacePattern("/a-{b}").shape != NamespacePattern("/a/{b}").shape


def test_a_template_makes_the_names_that_it_finds_the_values_in():
    pattern = NamespacePattern("/{kind}-{number}")

    assert "/board-7" == pattern.name(kind="board", number=7)
    for values in (
        {"kind": "a-b", "number": 7},
        {"kind": "", "number": 7},
        {"kind": "a"},
        {"kind": "ä", "number": 1},
    ):
        with pytest.raises(ValueError, match=r"kind|no namespace of this name"):
            pattern.name(**values)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("7", str, "7"),
        ("7", int, 7),
        ("-7", int, -7),
        ("paid", Plan, Plan.PAID),
        ("1", Level, Level.LOW),
        ("ab", Annotated[str, Meta(pattern="^[a-z]+$")], "ab"),
        (
            "8b0b0a3e-6b5e-4f9e-9f33-0b8f3b9d3c11",
            uuid.UUID,
            uuid.UUID("8b0b0a3e-6b5e-4f9e-9f33-0b8f3b9d3c11"),
        ),
        ("x", object, "x"),
    ],
)
def test_a_parameter_is_converted_into_the_type_that_a_handler_names(text, type_, value):
    assert value == converted(text, type_, "tenant")


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("x", int),
        ("07", int),
        ("7.0", int),
        ("1e3", int),
        ("gold", Plan),
        ("2", Level),
        ("AB", Annotated[str, Meta(pattern="^[a-z]+$")]),
        ("8B0B0A3E-6B5E-4F9E-9F33-0B8F3B9D3C11", uuid.UUID),
        ("7", Annotated[int, Meta(ge=8)]),
        ("[1]", list[int]),
    ],
)
def test_what_is_no_value_or_is_another_text_of_one_is_refused_with_a_code(text, type_):
    with pytest.raises(InvalidNamespace, match="tenant: ") as refused:
        converted(text, type_, "tenant")

    assert "invalid_namespace" == refused.value.code
