"""Hashes and checks passwords with Argon2id (RFC 9106) in a pool of threads with a bounded queue.

This is the only module that calls the hashing library. Argon2 releases the interpreter lock, so the event
loop keeps running while threads hash.
"""

import asyncio
import base64
import secrets
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from roomwire.errors import Unavailable
from roomwire_auth.metrics import Metrics

_T = TypeVar("_T")


class Hasher(Protocol):
    """Hashes passwords, and blocks while it does; argon2's `PasswordHasher` is one."""

    def hash(self, password: str, /) -> str:
        """Return the encoded hash, with a new salt."""

    def verify(self, password_hash: str, password: str, /) -> bool:
        """Return True if the password matches; raises argon2's `VerifyMismatchError`."""

    def check_needs_rehash(self, password_hash: str, /) -> bool:
        """Return whether the hash was made with other parameters."""


class Passwords:
    """Hashes and checks passwords.

    Args:
        hasher: Does the work, in threads.
        decoy: A hash that matches no password and costs as much to check as a real one.
        threads: Maximum number of passwords processed at a time.
        queue: Maximum number of further passwords that may wait.
        metrics: Counts the time.

    """

    def __init__(self, hasher: Hasher, *, decoy: str, threads: int, queue: int, metrics: Metrics) -> None:
        self._hasher = hasher
        self._decoy = decoy
        self._threads = threads
        self._limit = threads + queue
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._jobs: set[Future[Any]] = set()

    @property
    def waiting(self) -> int:
        """How many passwords wait for a thread."""
        return max(0, len(self._unfinished()) - self._threads)

    async def hash(self, password: str) -> str:
        """Return a new encoded hash; raises `Unavailable` when too many passwords wait."""
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password matches the hash.

        Without a hash the answer is False, at the same cost, so the caller cannot tell whether an account exists.

        Raises:
            Unavailable: Too many passwords wait.

        """
        return await self._run(lambda: self._matches(password_hash or self._decoy, _normal(password)))

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with other parameters than the present ones."""
        return self._hasher.check_needs_rehash(password_hash)

    async def close(self) -> None:
        """Finish the running work and end the threads; idempotent."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], _T]) -> _T:
        self._jobs = self._unfinished()
        if len(self._jobs) >= self._limit:
            raise Unavailable("Too many users are signing in at the moment: try again.")
        began = time.perf_counter()
        job = self._pool.submit(work)
        # The job counts until its thread has finished, even if its caller has been cancelled.
        self._jobs.add(job)
        try:
            return await asyncio.wrap_future(job)
        finally:
            self._metrics.password_seconds.observe(time.perf_counter() - began)

    def _unfinished(self) -> set[Future[Any]]:
        return {job for job in self._jobs if not job.done()}


def open_passwords(
    *, time_cost: int, memory_kib: int, parallelism: int, threads: int, queue: int, metrics: Metrics
) -> Passwords:
    """Return `Passwords` that use Argon2id with these parameters.

    Args:
        time_cost: Passes over the memory.
        memory_kib: Memory for one hash, in KiB.
        parallelism: Threads for one hash.
        threads: Maximum number of passwords processed at a time.
        queue: Maximum number of further passwords that may wait.
        metrics: Counts the time.

    """
    hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
    salt, digest = _random(hasher.salt_len), _random(hasher.hash_len)
    decoy = f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${salt}${digest}"
    return Passwords(hasher, decoy=decoy, threads=threads, queue=queue, metrics=metrics)


def _random(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def _normal(password: str) -> str:
    """Return one spelling of characters that look the same: keyboards encode them differently (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
