"""Accounts in a real Redis."""

import asyncio

import pytest

from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.errors import UsernameTaken


@pytest.fixture
def accounts(store):
    return Accounts(store)


async def test_an_account_is_found_as_it_was_added(accounts):
    added = await accounts.add("Ada", "a hash")

    assert await accounts.find("Ada") == added
    assert ("Ada", "a hash") == (added.name, added.password_hash)
    assert added.created_at.utcoffset().total_seconds() == 0


async def test_an_account_is_found_in_any_case_and_keeps_its_spelling(accounts):
    await accounts.add("Ada", "a hash")

    assert (await accounts.find("aDA")).name == "Ada"


async def test_there_is_no_account_that_was_not_added(accounts):
    assert await accounts.find("ada") is None


@pytest.mark.parametrize("name", ["ada", "ADA"])
async def test_a_name_is_taken_in_every_case(accounts, name):
    added = await accounts.add("ada", "a hash")

    with pytest.raises(UsernameTaken):
        await accounts.add(name, "another hash")

    assert await accounts.find("ada") == added


async def test_of_concurrent_registrations_exactly_one_wins(accounts):
    results = await asyncio.gather(
        *(accounts.add("ada", f"hash {number}") for number in range(20)), return_exceptions=True
    )

    winners = [result for result in results if not isinstance(result, UsernameTaken)]
    assert winners == [await accounts.find("ada")]


async def test_a_hash_is_replaced(accounts):
    added = await accounts.add("Ada", "a hash")

    await accounts.replace_hash(added, "a better hash")

    assert (await accounts.find("ada")).password_hash == "a better hash"


async def test_a_hash_that_changed_meanwhile_is_not_replaced(accounts):
    added = await accounts.add("ada", "a hash")
    await accounts.replace_hash(added, "of a new password")

    await accounts.replace_hash(added, "of the old password")

    assert (await accounts.find("ada")).password_hash == "of a new password"


async def test_an_account_speaks_for_its_user(accounts):
    added = await accounts.add("Ada", "a hash")

    assert (added.id, "Ada", "account") == (added.user().id, added.user().name, added.user().kind)


async def test_the_hash_is_not_in_the_repr(accounts):
    assert "a hash" not in repr(await accounts.add("ada", "a hash"))
