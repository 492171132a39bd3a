"""How what a token says is read."""

import base64
import json

import pytest

from roomwire.identity.claims import MISSING, find, names_in, parse_part


def part(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_an_object_is_read():
    assert {"a": [1, {"b": "é"}], "c": 1.5} == parse_part(part('{"a": [1, {"b": "é"}], "c": 1.5}'))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="a list"),
        pytest.param('"a"', id="a text"),
        pytest.param("null", id="null"),
        pytest.param("", id="nothing"),
        pytest.param("{", id="half an object"),
        pytest.param('{"a": 1} {}', id="two objects"),
        pytest.param('{"a": 1, "a": 1}', id="a name twice"),
        pytest.param('{"a": 1, "\\u0061": 2}', id="a name twice, once escaped"),
        pytest.param('{"a": [{"b": 1, "b": 1}]}', id="a name twice, deep within"),
        pytest.param('{"a": NaN}', id="NaN"),
        pytest.param('{"a": -Infinity}', id="minus infinity"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_is_no_object_or_says_a_thing_twice_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds, each with its own text
        parse_part(part(text))


CLAIMS = {
    "sub": "1",
    "null": None,
    "https://chat.example.org/roles": ["namespaced"],
    "realm_access": {"roles": ["realm"], "a/b": {"c~d": "escaped"}, "": "empty"},
    "list": [["x"]],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("sub", "1", id="a claim"),
        pytest.param("null", None, id="null"),
        pytest.param("absent", MISSING, id="absent"),
        pytest.param("https://chat.example.org/roles", ["namespaced"], id="a name with slashes within"),
        pytest.param("/realm_access/roles", ["realm"], id="a value within"),
        pytest.param("/sub", "1", id="a claim by a pointer"),
        pytest.param("/realm_access/a~1b/c~0d", "escaped", id="escaped"),
        pytest.param("/realm_access/", "empty", id="an empty name"),
        pytest.param("/realm_access/absent", MISSING, id="absent within"),
        pytest.param("/absent/roles", MISSING, id="within what is absent"),
        pytest.param("/sub/roles", MISSING, id="within a text"),
        pytest.param("/list/0", MISSING, id="within a list"),
        pytest.param("realm_access.roles", MISSING, id="dots are no path"),
    ],
)
def test_a_claim_is_found_by_its_name_or_a_pointer(name, value):
    assert value == find(CLAIMS, name)


@pytest.mark.parametrize(
    ("value", "names"),
    [(MISSING, []), ([], []), (["a b", "c"], ["a b", "c"]), ("a  b ", ["a", "b"]), ("", [])],
)
def test_names_are_a_list_or_a_text_with_spaces(value, names):
    assert names == list(names_in(value))


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, [1], [["a"]]])
def test_other_values_are_no_names(value):
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's, with its own text
        names_in(value)


def test_the_name_of_a_claim_is_taken_as_it_is():
    assert MISSING is find(json.loads('{"SUB": 1}'), "sub")
