"""What constructors of gateways are given, as a table."""

import contextlib
from typing import NewType, Protocol

import pytest

from roomwire.app.providers import Need, arguments_of, needs_of
from roomwire.errors import ApplicationError
from roomwire.gateways.chain import PerCall


class Database(Protocol):
    """A protocol is a type to ask by, too."""


class Cache: ...


Secret = NewType("Secret", str)
DATABASE, CACHE = object(), Cache()


class Plain:
    def __init__(self, database: Database, secret: Secret, *, cache: Cache | None = None, size: int = 3): ...


class Nothing: ...


class Loose:
    def __init__(self, database): ...


class Unknown:
    def __init__(self, database: "Databse"): ...  # noqa: F821 - that it names nothing is the point


class Rest:
    def __init__(self, cache: Cache, *more: int, **others: int): ...


def test_what_a_constructor_needs_is_read_from_its_annotations():
    assert [
        Need("database", [Database], is_required=True),
        Need("secret", [Secret], is_required=True),
        Need("cache", [Cache], is_required=False),
        Need("size", [int], is_required=False),
    ] == needs_of(Plain)
    assert ["cache"] == [need.parameter for need in needs_of(Rest)]


def test_what_lives_as_long_as_a_call_is_no_argument_of_a_constructor():
    provided = {Database: DATABASE, Secret: "x", Cache: PerCall(lambda call: contextlib.nullcontext(CACHE))}

    assert {"database": DATABASE, "secret": "x"} == arguments_of(Plain, provided)
    with pytest.raises(ApplicationError, match="Rest needs a Cache"):
        arguments_of(Rest, provided)


def test_each_parameter_gets_what_was_provided_for_its_type():
    provided = {Database: DATABASE, Secret: "x", Cache: CACHE}

    assert {"database": DATABASE, "secret": "x", "cache": CACHE} == arguments_of(Plain, provided)
    assert {"database": DATABASE, "secret": "x"} == arguments_of(Plain, {Database: DATABASE, Secret: "x"})


@pytest.mark.parametrize(
    ("gateway", "sentence"),
    [
        pytest.param(
            Plain,
            "lifespan: Plain needs a Database (its parameter 'database'), but none is provided: call "
            "app.provide(Database, ...) in the lifespan",
            id="nothing provided",
        ),
        pytest.param(
            Loose,
            "bind: Loose: the parameter 'database' of its constructor has no annotation, so nothing can be provided for it",
            id="no annotation",
        ),
        pytest.param(
            Unknown,
            "bind: Unknown: an annotation of its constructor: name 'Databse' is not defined",
            id="unknown name",
        ),
    ],
)
def test_a_gateway_that_cannot_be_made_is_a_sentence(gateway, sentence):
    with pytest.raises(ApplicationError) as refused:
        arguments_of(gateway, {})

    assert sentence == str(refused.value)


def test_a_class_without_a_constructor_needs_nothing():
    assert {} == arguments_of(Nothing, {Database: DATABASE})
