"""Which claims say what."""

import json

import pytest

from roomwire.identity.claim_names import MISSING, find, names_in

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
