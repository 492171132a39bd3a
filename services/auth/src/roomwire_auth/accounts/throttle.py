"""Limits how often one address may fail to sign in, or register, before it must wait, and what all addresses may do together.

No address can lock the users of another address out: failures at an account count only for the address that they come
from, and an address from which the account has signed in before is exempt from the failures of others at that address.
Counts are in Redis, shared by all processes. Each is charged before the work begins, so concurrent requests get no more
attempts than sequential ones, and each expires when its window ends. An address's own count limits what the address can
store, because nothing is written beyond the limit; without that limit, storage is not limited either. Names and
addresses are stored as digests.

Where addresses are not known, because no proxy is trusted, all clients seem to have one address. Then failures count for the account alone,
and each further one doubles the time for which nobody can try that account's password, up to `longest_delay_s`: slow enough for guesses,
and short for the user. Guests have one limit for the whole deployment in any case, because a guest is a new user at will; so have
registrations, because each costs tens of milliseconds of CPU, and the checks of one account's password for one address.
"""

import hashlib
import math
import time
from collections.abc import Sequence
from typing import Final, Literal, get_args

import msgspec

from roomwire.protocol.addresses import household
from roomwire_auth import audit
from roomwire_auth.accounts import scripts
from roomwire_auth.audit import Event
from roomwire_auth.errors import TooManyAttempts
from roomwire_auth.metrics import Metrics
from roomwire_auth.store import Store

_Limit = Literal[
    "login",
    "client",
    "login_address",
    "register",
    "guest",
    "refresh",
    "account",
    "guests",
    "registrations",
    "checks",
]

_MINUTE_S: Final = 60


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of an address within a window; 0 disables a limit.

    Attributes:
        window_s: Length of a window, which begins with the first counted attempt.
        login_failures: Wrong passwords for one account from one address, and as many wrong secrets for one client.
        login_failures_per_address: Wrong passwords and secrets from one address, for accounts and clients that are not
            known at the address.
        registrations_per_address: Attempted registrations.
        guests_per_address: Guest sign-ins.
        refresh_failures_per_address: Invalid refresh tokens.
        known_ttl_s: How long an account or client is known at an address after its last sign-in there.
        guests_per_minute: Guest sign-ins a minute from all addresses together.
        registrations_per_minute: Attempted registrations a minute from all addresses together.
        checks_per_minute: Passwords of one account that are checked a minute for one address, right ones included.
        undelayed_failures: Wrong passwords for one account from all addresses after which each further one causes a delay.
        longest_delay_s: The longest delay. `0` disables delays, which are for deployments that do not know addresses.

    """

    window_s: int
    login_failures: int
    login_failures_per_address: int
    registrations_per_address: int
    guests_per_address: int
    refresh_failures_per_address: int
    known_ttl_s: int
    guests_per_minute: int = 0
    registrations_per_minute: int = 0
    checks_per_minute: int = 0
    undelayed_failures: int = 5
    longest_delay_s: int = 0


class Attempt(msgspec.Struct, frozen=True):
    """A login that has been charged. `Throttle.succeed` or `Throttle.give_back` settles it; otherwise the charge stays."""

    count_of_pair: str
    mark: str
    counts: tuple[str, ...]
    delay: str = ""


class Throttle:
    """Counts the attempts of addresses. All methods may raise `Unavailable`.

    Args:
        store: Holds the counts.
        limits: The limits; with None, everything is allowed and nothing is counted.
        metrics: Counts the refusals.

    """

    def __init__(self, store: Store, *, limits: Limits | None, metrics: Metrics) -> None:
        self._store = store
        self._limits = limits
        self._metrics = metrics
        for limit in get_args(_Limit):
            # Exported from the start: an increase needs a sample before the first.
            metrics.throttled.labels(limit)
        self._charge_script = store.script(scripts.CHARGE)
        self._give_back_script = store.script(scripts.GIVE_BACK)
        self._succeed_script = store.script(scripts.SUCCEED)
        self._delay_script = store.script(scripts.DELAY)
        self._undelay_script = store.script(scripts.UNDELAY)

    async def begin_login(self, name: str, address: str) -> Attempt | None:
        """Charge a login as a failure in advance; returns None if nothing is limited.

        Whether the account exists is not checked and makes no difference.

        Raises:
            TooManyAttempts: The account from this address, or the address, has failed too often; or the account has, where delays
                are set; or the account signs in from this address too often.

        """
        name = name.lower()
        if self._limits is not None:
            # Each check costs much CPU, whether the password is right or not.
            key = self._key("checks", _digest(name, household(address)))
            await self._charge([("checks", key, self._limits.checks_per_minute)], address, window_s=_MINUTE_S)
            if self._limits.longest_delay_s:
                return await self._begin_delayed(name, address, self._limits)
        return await self._begin("login", name, address)

    async def _begin_delayed(self, name: str, address: str, limits: Limits) -> Attempt:
        key = self._key("account", _digest(name))
        arguments = [time.time(), limits.undelayed_failures, limits.longest_delay_s, limits.window_s]
        wait_s = await self._store.ask(self._delay_script(keys=[key], args=arguments))
        if wait_s:
            raise self._refused("account", address, wait_s)
        return Attempt("", "", (), key)

    async def begin_client(self, client_id: str, address: str) -> Attempt | None:
        """Charge a client's token request, as `begin_login` charges a login; clients and accounts are counted separately."""
        return await self._begin("client", client_id, address)

    async def _begin(self, limit: Literal["login", "client"], who: str, address: str) -> Attempt | None:
        limits = self._limits
        if limits is None:
            return None
        where = household(address)
        pair = _digest(who, where)
        count_of_pair = self._key(limit, pair)
        mark = self._key("known" if limit == "login" else "known_client", pair)
        counted: list[tuple[_Limit, str, int]] = [(limit, count_of_pair, limits.login_failures)]
        if not await self._store.ask(self._store.client.exists(mark)):
            key = self._key("login_address", _digest(where))
            counted.append(("login_address", key, limits.login_failures_per_address))
        return Attempt(count_of_pair, mark, await self._charge(counted, address))

    async def succeed(self, attempt: Attempt | None) -> None:
        """Refund a login's charges, forget the account's failures at the address, and mark the account as known there."""
        if attempt is None or self._limits is None:
            return
        if attempt.delay:
            await self._store.ask(self._store.client.delete(attempt.delay))
            return
        await self.give_back(attempt)
        keys = [attempt.count_of_pair, attempt.mark]
        await self._store.ask(self._succeed_script(keys=keys, args=[self._limits.known_ttl_s]))

    async def give_back(self, attempt: Attempt | None) -> None:
        """Refund a login's charges: it neither failed nor succeeded."""
        if attempt is not None and attempt.delay:
            await self._store.ask(self._undelay_script(keys=[attempt.delay]))
        elif attempt is not None and attempt.counts:
            await self._store.ask(self._give_back_script(keys=attempt.counts))

    async def begin_registration(self, address: str) -> None:
        """Charge a registration, whether or not it succeeds; raises `TooManyAttempts`."""
        if self._limits is not None:
            await self._charge_address("register", address, self._limits.registrations_per_address)
            key, most = self._key("registrations", "all"), self._limits.registrations_per_minute
            await self._charge([("registrations", key, most)], address, window_s=_MINUTE_S)

    async def begin_guest(self, address: str) -> None:
        """Charge a guest's sign-in; raises `TooManyAttempts`."""
        if self._limits is not None:
            await self._charge_address("guest", address, self._limits.guests_per_address)
            key, most = self._key("guests", "all"), self._limits.guests_per_minute
            await self._charge([("guests", key, most)], address, window_s=_MINUTE_S)

    async def refresh_failed(self, address: str) -> None:
        """Charge an invalid refresh token; a valid one is never refused.

        Raises:
            TooManyAttempts: The address has failed too often.

        """
        if self._limits is not None:
            await self._charge_address("refresh", address, self._limits.refresh_failures_per_address)

    async def _charge_address(self, limit: _Limit, address: str, most: int) -> None:
        await self._charge([(limit, self._key(limit, _digest(household(address))), most)], address)

    async def _charge(
        self, counted: Sequence[tuple[_Limit, str, int]], address: str, *, window_s: int = 0
    ) -> tuple[str, ...]:
        """Charge all counts that have a limit, or none of them; returns the keys.

        Args:
            counted: The limits, their keys and their values.
            address: The address of the client, for the audit.
            window_s: The window. Default: that of the limits.

        """
        counted = [count for count in counted if count[2]]
        keys = tuple(key for _, key, _ in counted)
        if self._limits is None or not keys:
            return keys
        window_s, now = window_s or self._limits.window_s, time.time()
        arguments = [window_s, math.ceil(now) + window_s, *(most for _, _, most in counted)]
        answer = await self._store.ask(self._charge_script(keys=keys, args=arguments))
        if answer[0] == 0:
            return keys
        # Another machine's clock set the end of the window, so the end decides only the wait that the client is advised.
        wait_s = min(max(int(answer[1]) - math.floor(now), 1), window_s)
        raise self._refused(counted[answer[0] - 1][0], address, wait_s)

    def _refused(self, limit: _Limit, address: str, wait_s: int) -> TooManyAttempts:
        """Note a refusal, and return the error."""
        self._metrics.throttled.labels(limit).inc()
        audit.record(Event.THROTTLED, limit=limit, address=address)
        return TooManyAttempts(wait_s)

    def _key(self, kind: str, digest: str) -> str:
        return self._store.key("throttle", f"{kind}:{digest}")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
