"""Hashing: what matches, and that the pool is bounded."""

import asyncio
import threading

import pytest
from argon2.exceptions import VerifyMismatchError

from roomwire.errors import Unavailable
from roomwire_auth.accounts.passwords import Passwords, open_passwords


@pytest.fixture
async def passwords(metrics):
    opened = open_passwords(time_cost=1, memory_kib=64, parallelism=1, threads=1, queue=9, metrics=metrics)
    yield opened
    await opened.close()


class HeldHasher:
    """A `Hasher` whose work takes until it is let go; it notes what is asked of it."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.verified = []

    def hash(self, password):
        self.begun.release()
        assert self.let_go.wait(timeout=30)
        return f"hash of {password}"

    def verify(self, password_hash, password):
        self.verified.append(password_hash)
        if password_hash != f"hash of {password}":
            raise VerifyMismatchError
        return True

    def check_needs_rehash(self, _):
        return False


@pytest.fixture
async def open_held(metrics):
    opened = []

    def open_(**bounds):
        hasher = HeldHasher()
        held = Passwords(hasher, decoy="decoy", metrics=metrics, **bounds)
        opened.append((hasher, held))
        return hasher, held

    yield open_
    for hasher, held in opened:
        hasher.let_go.set()
        await held.close()


async def test_a_password_matches_its_own_hash_only(passwords):
    hashed = await passwords.hash("correct horse")

    assert await passwords.verify(hashed, "correct horse")
    assert not await passwords.verify(hashed, "Correct horse")


async def test_a_hash_is_argon2id_with_a_salt_of_its_own(passwords):
    first, second = await passwords.hash("correct horse"), await passwords.hash("correct horse")

    assert first.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert first != second


async def test_without_a_hash_no_password_matches(passwords):
    assert not await passwords.verify(None, "correct horse")


async def test_without_a_hash_a_decoy_of_the_same_parameters_is_checked(passwords):
    assert not passwords.is_outdated(passwords._decoy)


async def test_the_decoy_is_what_the_hasher_gets(open_held):
    hasher, held = open_held(threads=1, queue=0)

    await held.verify(None, "correct horse")

    assert hasher.verified == ["decoy"]


async def test_two_spellings_of_the_same_letters_are_one_password(passwords):
    hashed = await passwords.hash("caf\u00e9 au lait")

    assert await passwords.verify(hashed, "cafe\u0301 au lait")


async def test_a_hash_of_other_parameters_is_outdated(passwords, metrics):
    stronger = open_passwords(time_cost=2, memory_kib=64, parallelism=1, threads=1, queue=9, metrics=metrics)
    hashed = await passwords.hash("correct horse")

    assert (False, True) == (passwords.is_outdated(hashed), stronger.is_outdated(hashed))
    assert await stronger.verify(hashed, "correct horse")
    await stronger.close()


@pytest.mark.parametrize(("threads", "queue"), [(1, 0), (1, 2), (2, 3)])
async def test_beyond_threads_and_queue_a_password_is_refused_at_once(open_held, threads, queue):
    hasher, held = open_held(threads=threads, queue=queue)
    tasks = [asyncio.create_task(held.hash(str(number))) for number in range(threads + queue + 1)]

    # All others are held: what is done first is what was refused.
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    assert done == {tasks[-1]}
    assert isinstance(tasks[-1].exception(), Unavailable)
    assert held.waiting == queue
    hasher.let_go.set()
    assert sorted(await asyncio.gather(*waiting)) == [f"hash of {n}" for n in range(threads + queue)]


async def test_there_is_room_again_when_the_work_is_done(open_held):
    hasher, held = open_held(threads=1, queue=0)
    first = asyncio.create_task(held.hash("first"))
    await asyncio.to_thread(hasher.begun.acquire)
    with pytest.raises(Unavailable):
        await held.hash("second")
    hasher.let_go.set()
    await first

    assert await held.hash("third") == "hash of third"


async def test_work_counts_until_it_is_done_even_if_nobody_waits_for_it(open_held):
    hasher, held = open_held(threads=1, queue=0)
    gone = asyncio.create_task(held.hash("first"))
    await asyncio.to_thread(hasher.begun.acquire)
    gone.cancel()
    await asyncio.wait([gone])

    with pytest.raises(Unavailable):
        await held.hash("second")


async def test_the_time_is_counted(passwords, metrics):
    await passwords.hash("correct horse")

    assert metrics.registry.get_sample_value("roomwire_auth_password_seconds_count") == 1


async def test_closing_twice_is_closing_once(passwords):
    await passwords.close()
    await passwords.close()
