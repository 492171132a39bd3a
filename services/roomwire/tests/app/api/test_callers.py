"""Keys, and how they are read."""

import pytest

from roomwire.app.api.callers import Callers, parse_keys
from roomwire.errors import ConfigurationError, Unauthenticated
from roomwire.identity.capabilities import load_policy

POLICY = load_policy()
SECRET = "x" * 32


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shop service", "line 1: write a name"),
        (f"shop service {SECRET} more", "line 1: write a name"),
        (f"# keys\n\nShop service {SECRET}", "line 3: write a name"),
        ("shop service " + SECRET[:-1], "line 1: the secret has fewer than 32"),
        (f"shop nobody {SECRET}", "line 1: the policy has no role 'nobody'"),
        (
            f"shop service {SECRET}\nshop service {'y' * 32}",
            "line 2: another line has the same name or secret",
        ),
        (f"shop service {SECRET}\nbank service {SECRET}", "line 2: another line has the same name or secret"),
    ],
)
def test_a_line_that_is_no_key_is_named_and_its_secret_is_not(text, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        parse_keys(text, POLICY)
    assert "xxx" not in str(caught.value)


async def test_a_key_is_known_by_its_secret_and_has_its_role():
    keys = parse_keys(f"# ours\nshop service {SECRET}\n\nboss admin {'y' * 32}\n", POLICY)
    callers = Callers(keys)

    shop = await callers.identify(f"Bearer {SECRET}")
    boss = await callers.identify(f"bearer  {'y' * 32} ")
    assert ("key:shop", POLICY.of_role("service")) == (shop.id, shop.capabilities)
    assert ("key:boss", POLICY.of_role("admin")) == (boss.id, boss.capabilities)
    for header in ("", "Bearer", f"Basic {SECRET}", f"Bearer {SECRET}x", SECRET, "Bearer \xff"):
        with pytest.raises(Unauthenticated):
            await callers.identify(header)
