"""The header by which a WebSocket's client offers extensions: RFC 6455, section 9.1."""

import pytest

from roomwire.protocol.extensions import BadExtensions, offered_extensions


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", [("a", [])]),
        (" a\t", [("a", [])]),
        ("a, b", [("a", []), ("b", [])]),
        ("a; x, a", [("a", [("x", None)]), ("a", [])]),
        ("a;x=1;y", [("a", [("x", "1"), ("y", None)])]),
        ("a ; x = 1 ; x = 2", [("a", [("x", "1"), ("x", "2")])]),
        ('a; x="1"', [("a", [("x", "1")])]),
        (r'a; x="\1\2"', [("a", [("x", "12")])]),
    ],
)
def test_a_list_of_extensions_is_read_in_the_clients_order(value, expected):
    assert expected == offered_extensions(value)


@pytest.mark.parametrize(
    "value",
    ["", " ", ",", "a,", ",a", "a,,b", "a;", ";x", "a;;x", "a=1", "a b", "a; x=", "a; x y", 'a; x="', 'a; x=""',
     'a; x="1', 'a; x="1 2"', 'a; x="1"2', "a; x=1 2", "a\x00", "\u00e4", "a; x=/"],
)  # fmt: skip
def test_another_text_is_no_list(value):
    with pytest.raises(BadExtensions):
        offered_extensions(value)
