"""Whether a charge bounds the rate of what costs very much, and what it may cost at that rate. Pure.

A sender that is slower than its bound does not meet it. So what an attack did is compared with what the charges in the code's tables
allow, and what is sent as often as they allow may not take more than `MOST_AT_BOUND_MS`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from roomwire_loadtest.economics.attacks import Attack
from roomwire_loadtest.economics.charges import Charge
from roomwire_loadtest.economics.measuring import Cost

MOST_BYTES: Final = 100.0
"""The bytes that one byte of a sender may move unless a charge bounds its rate."""
MOST_CPU_MS: Final = 5.0
"""The milliseconds of CPU that one message may cost unless a charge bounds its rate."""
MOST_AT_BOUND_MS: Final = 500.0
"""The milliseconds of CPU a second that one connection may cost with as many messages as its charge allows: half a core."""
_MEASURED: Final = 1.1
"""Clocks of two processes, and messages that were under way: so much more than allowed is no violation."""
_MET: Final = 0.9
"""From this part of what is allowed, a sender has met its bound: over polling events then wait, and nothing is refused."""


class Rate(msgspec.Struct, frozen=True):
    """What an attack by a thing was held to.

    Attributes:
        is_bounded: Whether a charge bounds it.
        words: The judgement.

    """

    is_bounded: bool
    words: str


class AtBound(msgspec.Struct, frozen=True):
    """What a thing costs each second when one connection sends as much of it as its charge allows.

    Attributes:
        per_s: The messages.
        cpu_ms: Milliseconds of CPU of the service.
        moved_bytes: Bytes to the sender, and to and from Redis.
        is_of_operator: Whether the sender has a key that the operator gave to a program.

    """

    per_s: float
    cpu_ms: float
    moved_bytes: float
    is_of_operator: bool = False

    @property
    def is_too_much(self) -> bool:
        """Whether it is more than a stranger may cost."""
        return self.cpu_ms > MOST_AT_BOUND_MS and not self.is_of_operator


def badness(cost: Cost) -> float:
    """Return how many times a thing costs what is allowed without a charge."""
    return max(cost.amplification / MOST_BYTES, cost.cpu_ms / (MOST_CPU_MS * cost.messages))


def is_dear(cost: Cost) -> bool:
    """Return whether a thing needs a charge that bounds its rate."""
    return badness(cost) > 1


def at_bound(cost: Cost, charges: Sequence[Charge]) -> AtBound | None:
    """Return what a thing costs at its bound, where no addresses are known; None without a charge."""
    if all(charge.needs_addresses for charge in charges):
        return None
    per_s = min(charge.per_s for charge in charges if not charge.needs_addresses)
    moved = cost.down_bytes + cost.redis_bytes
    return AtBound(per_s, per_s * cost.cpu_ms, per_s * moved, is_of_operator=cost.token == "key")  # noqa: S105 - the kind of a token


def rate_of(attack: Attack, charges: Sequence[Charge]) -> Rate:
    """Judge the rate of an attack by the charges of what it sent."""
    met = ", ".join(f"`{bound}`" for bound in attack.bounds)
    per_s = attack.accepted / attack.seconds
    if not charges:
        if met or attack.refused:
            return Rate(is_bounded=True, words=f"held to {per_s:,.1f}/s by {met or 'refusals'}")
        return Rate(is_bounded=False, words=f"**no charge**: {per_s:,.1f}/s")
    tightest = min(charges, key=lambda charge: charge.most(attack.seconds, attack.connections))
    most = tightest.most(attack.seconds, attack.connections)
    by = f"`{tightest.setting}`"
    # What a message costs is known after it, so one of each connection may go beyond the rate.
    if attack.accepted > most * _MEASURED + attack.connections:
        return Rate(
            is_bounded=False, words=f"**beyond** {most / attack.seconds:,.1f}/s of {by}: {per_s:,.1f}/s"
        )
    if met or attack.refused or attack.accepted >= most * _MET:
        return Rate(is_bounded=True, words=f"held to {per_s:,.1f}/s by {met or by}")
    return Rate(
        is_bounded=True, words=f"sender slower: {per_s:,.1f} of {most / attack.seconds:,.1f}/s ({by})"
    )
