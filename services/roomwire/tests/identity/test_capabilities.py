"""Which rooms a pattern means, what capabilities allow, and which policies are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.errors import ConfigurationError
from roomwire.identity.capabilities import (
    MAX_PATTERN_CHARS,
    MAX_PATTERNS,
    NOTHING,
    OF_A_ROOM,
    OF_ALL_ROOMS,
    Capabilities,
    load_policy,
    matches,
)
from roomwire.identity.errors import NotPermitted

MATCHES = [
    ("den", "den", True),
    ("den", "Den", False),
    ("den", "den2", False),
    ("den2", "den", False),
    ("chat:*", "chat:den", True),
    ("chat:*", "chat:", True),
    ("chat:*", "chat", False),
    ("chat:*", "my chat:den", False),
    ("*", "anything", True),
    ("*", "", True),
    ("den?", "den1", False),
    ("den?", "den?", True),
    ("[ab]", "a", False),
]

TENANT = Capabilities.of({"acme:*": ["join", "publish"], "acme:news": ["history"], "hall": ["presence"]})
ALLOWED = [
    (TENANT, "join", "acme:den", True),
    (TENANT, "join", "other:den", False),
    (TENANT, "join", "acme", False),
    (TENANT, "join", "hall", False),
    (TENANT, "presence", "hall", True),
    # A room may be of several patterns: what one allows is allowed.
    (TENANT, "history", "acme:news", True),
    (TENANT, "join", "acme:news", True),
    (TENANT, "history", "acme:den", False),
    # What concerns all rooms is not a tenant's.
    (TENANT, "join", None, False),
    (Capabilities.of({"acme:*": ["rooms"]}), "rooms", None, False),
    (Capabilities.of({"*": ["rooms"]}), "rooms", None, True),
    (Capabilities.of({"*": ["rooms"]}), "broadcast", None, False),
    (Capabilities.of({"*": []}), "join", "den", False),
    (NOTHING, "join", "den", False),
    (NOTHING, "rooms", None, False),
]


@pytest.mark.parametrize(("pattern", "room", "expected"), MATCHES)
def test_a_pattern_is_an_exact_name_or_the_beginning_of_names(pattern, room, expected):
    assert expected == matches(pattern, room)


@pytest.mark.parametrize(("capabilities", "action", "room", "expected"), ALLOWED)
def test_what_no_pattern_allows_is_not_allowed(capabilities, action, room, expected):
    assert expected == capabilities.may(action, room)
    if expected:
        capabilities.require(action, room)
    else:
        with pytest.raises(NotPermitted) as refused:
            capabilities.require(action, room)
        assert (action, room, "forbidden") == (refused.value.action, refused.value.room, refused.value.code)
        assert f"`{action}`" in refused.value.message
        assert (f"`{room}`" in refused.value.message) == (room is not None)


@given(st.sampled_from(sorted(OF_A_ROOM | OF_ALL_ROOMS)), st.none() | st.text(max_size=64))
def test_without_patterns_nothing_is_allowed(action, room):
    assert not NOTHING.may(action, room)


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param({"": ["join"]}, id="an empty pattern"),
        pytest.param({"a*b": ["join"]}, id="a star in the middle"),
        pytest.param({"**": ["join"]}, id="two stars"),
        pytest.param({"x" * (MAX_PATTERN_CHARS + 1): ["join"]}, id="a long pattern"),
        pytest.param({f"room{n}": ["join"] for n in range(MAX_PATTERNS + 1)}, id="many patterns"),
    ],
)
def test_a_claim_of_another_shape_or_size_is_refused(claim):
    with pytest.raises(ValueError, match=r"pattern"):
        Capabilities.of(claim)


def test_a_claim_may_be_as_large_as_the_bounds():
    claim = {f"{n}".rjust(MAX_PATTERN_CHARS, "x"): ["join"] for n in range(MAX_PATTERNS)}

    assert claim == Capabilities.of(claim).claim()


def test_actions_of_a_newer_issuer_allow_nothing_here():
    assert {"den": ["join"]} == Capabilities.of({"den": ["join", "teleport"]}).claim()


def test_by_the_default_policy_everybody_may_use_every_room_and_only_admins_are_admins():
    policy = load_policy()

    assert {"guest", "user", "service", "admin"} == {*policy.roles}
    for role in ("guest", "user"):
        # To publish events of any name is for backends; a namespace that requires `connect` is for tokens that name it.
        assert OF_A_ROOM - {"connect", "emit"} == {a for a in OF_A_ROOM if policy.of_role(role).may(a, "den")}
        assert {"rooms", "broadcast"} == {a for a in OF_ALL_ROOMS if policy.of_role(role).may(a)}
    assert not policy.of_role("service").may("join", "den")
    assert ["admin"] == [role for role in policy.roles if policy.of_role(role).may("admin")]
    assert ["admin"] == [role for role in policy.roles if policy.of_role(role).may("connect", "/tenant-7")]
    assert {"service", "admin"} == {role for role in policy.roles if policy.of_role(role).may("emit")}


def test_the_role_none_may_do_nothing_and_an_unknown_one_is_a_mistake():
    assert NOTHING == load_policy().of_role("none")
    with pytest.raises(ConfigurationError, match=r"no role 'geust': use one of admin, guest, service, user"):
        load_policy().of_role("geust")


GOOD = '[roles.guest]\n"hall" = ["join"]\n[roles.user]\n"acme:*" = ["join", "publish"]\n[roles.admin]\n"*" = ["admin"]\n'


def test_an_account_has_the_role_whose_member_it_is(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(GOOD + '[members]\nadmin = ["a1"]\n')
    policy = load_policy(path)

    assert "admin" == policy.role_of("a1", is_guest=False)
    assert "user" == policy.role_of("a2", is_guest=False)
    assert "guest" == policy.role_of("a1", is_guest=True)
    assert {"acme:*": ["join", "publish"]} == policy.of_role("user").claim()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roles =", "policy.toml is not a policy"),
        ("", "missing required field `roles`"),
        ('[roles.guest]\n"*" = []\n', "the role 'user' is missing"),
        (GOOD + "[mebmers]\n", "unknown field `mebmers`"),
        (GOOD + '[roles.x]\n"*" = "join"\n', r"Expected `array`, got `str`"),
        (GOOD + '[roles.x]\n"*" = ["jion"]\n', r"role 'x', pattern '\*': 'jion' is not an action"),
        (GOOD + '[roles.x]\n"a*" = ["rooms"]\n', r"'rooms' applies to all rooms, so it belongs under '\*'"),
        (GOOD + '[roles.x]\n"a*b" = ["join"]\n', r"role 'x': the pattern 'a\*b' has a \* before its end"),
        (GOOD + '[roles.none]\n"*" = ["join"]\n', "'none' cannot be the name of a role"),
        (GOOD + '[members]\nadmni = ["a1"]\n', "members of 'admni', which is not a role"),
        (GOOD + '[members]\nadmin = ["a1"]\nuser = ["a1"]\n', "'a1' is a member of two roles"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_with_a_sentence_that_says_where(tmp_path, text, said):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_policy(path)


def test_a_policy_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        load_policy(tmp_path / "nowhere.toml")


def test_several_together_allow_what_one_of_them_does():
    one, other = Capabilities.of({"*": ["join"], "hall": ["history"]}), Capabilities.of({"*": ["publish"]})

    assert {"*": ["join", "publish"], "hall": ["history"]} == Capabilities.of_all([one, other]).claim()
    assert NOTHING == Capabilities.of_all([]) == Capabilities.of_all([NOTHING])
