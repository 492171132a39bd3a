"""The shapes of request bodies."""

import pytest
from pydantic import ValidationError

from roomwire_auth.http.bodies import Guest, Login, Refresh, Registration

PASSWORD = "correct horse"


@pytest.mark.parametrize("name", ["ab", "a" * 32, "A.b_c-9", "--", "00"])
def test_a_username_is_letters_digits_and_a_few_marks(name):
    assert Registration(username=name, password=PASSWORD).username == name


@pytest.mark.parametrize(
    "name", ["", "a", "a" * 33, "a b", " ab", "ab\n", "ä-ö", "a:b", "a/b", "ab\x00", 12, None]
)
def test_other_usernames_are_refused(name):
    with pytest.raises(ValidationError):
        Registration(username=name, password=PASSWORD)


@pytest.mark.parametrize("password", ["x" * 8, "x" * 256, "pässwörd", "        "])
def test_a_password_is_8_to_256_characters(password):
    assert Registration(username="ada", password=password).password.get_secret_value() == password


@pytest.mark.parametrize("password", ["", "x" * 7, "x" * 257, "\ud800" * 8, 12345678, None])
def test_other_passwords_are_refused(password):
    with pytest.raises(ValidationError):
        Registration(username="ada", password=password)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a", "a"),
        ("  Ada L. ", "Ada L."),
        ("x" * 64, "x" * 64),
        ("名前", "名前"),
        ("👩\u200d💻", "👩\u200d💻"),
        (None, None),
    ],
)
def test_a_guest_name_is_trimmed(given, name):
    assert Guest(name=given).name == name


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 65, "a\nb", "a\x00b", "a\x7fb", "a\u202eb", "a\u2028b", "\ud800", 1]
)
def test_other_guest_names_are_refused(name):
    with pytest.raises(ValidationError):
        Guest(name=name)


def test_a_login_is_limited_in_size_only():
    assert Login(username="a b", password="x").username == "a b"


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (Registration, {"username": "ada", "password": PASSWORD}),
        (Login, {"username": "ada", "password": PASSWORD}),
        (Guest, {"name": "ada"}),
        (Refresh, {"refresh_token": "x"}),
    ],
)
def test_unknown_fields_are_refused(shape, body):
    shape.model_validate(body)

    with pytest.raises(ValidationError):
        shape.model_validate(body | {"more": 1})


def test_secrets_are_not_in_the_repr():
    shown = repr(Login(username="ada", password=PASSWORD)) + repr(Refresh(refresh_token="x" * 65))

    assert PASSWORD not in shown
    assert "xx" not in shown
