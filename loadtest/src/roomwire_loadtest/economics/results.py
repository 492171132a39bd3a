"""The results of a run, which are kept beside the others; and whether they hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from roomwire_loadtest.economics.attacks import Attack
from roomwire_loadtest.economics.charges import Charge, charges_of
from roomwire_loadtest.economics.judging import MOST_AT_BOUND_MS, at_bound, badness, is_dear, rate_of
from roomwire_loadtest.economics.measuring import Cost
from roomwire_loadtest.economics.things import is_same

NAME: Final = "economics.json"


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a run.

    Attributes:
        date: When it began.
        machine: The machine.
        crowd: The number of clients in the crowd whose cost was measured.
        attacked_crowd: The number of clients in the crowd that was attacked.
        costs: The cost of every thing.
        alone_ms: The bystanders' 99th percentile without an attacker, in milliseconds.
        attacks: What came of the attacks.

    """

    date: str
    machine: dict[str, str]
    crowd: int
    attacked_crowd: int
    costs: Sequence[Cost]
    alone_ms: float
    attacks: Sequence[Attack]

    def unbounded(self) -> Iterator[tuple[Cost, str]]:
        """Yield the things that cost very much and whose rate nothing bounds, the worst first, each with the reason."""
        for cost in self.worst():
            if is_dear(cost) and (reason := self._reason(cost)):
                yield cost, reason

    def worst(self) -> Sequence[Cost]:
        """Return the costs, the worst first."""
        return sorted(self.costs, key=badness, reverse=True)

    def charges_of(self, cost: Cost) -> Sequence[Charge]:
        """Return the charges of a thing as its cost was measured."""
        return charges_of(cost, crowd=self.crowd, answer_bytes=cost.down_bytes)

    def charges_under_attack(self, attack: Attack) -> Sequence[Charge]:
        """Return the charges of a thing as it was attacked with."""
        cost = self.cost_of(attack)
        answer_bytes = cost.down_bytes if cost else 0.0
        return charges_of(attack, crowd=self.attacked_crowd, answer_bytes=answer_bytes)

    def cost_of(self, attack: Attack) -> Cost | None:
        """Return the cost of what an attack sent: in its own situation if that was measured."""
        costs = [cost for cost in self.costs if is_same(cost, attack) and cost.state == attack.state]
        own = [cost for cost in costs if (cost.way, cost.token) == (attack.way, attack.token)]
        return next(iter(own or costs), None)

    def _reason(self, cost: Cost) -> str:
        """Return why the rate of a thing is not bounded; empty if it is."""
        bound = at_bound(cost, self.charges_of(cost))
        if bound is not None and bound.is_too_much:
            return f"{bound.per_s:,.1f}/s are allowed: {bound.cpu_ms:,.0f} ms a second, and not {MOST_AT_BOUND_MS:.0f}"
        attacks = [attack for attack in self.attacks if is_same(attack, cost)]
        if not attacks:
            return "nothing attacked with it"
        rates = [rate_of(attack, self.charges_under_attack(attack)) for attack in attacks]
        return "; ".join(rate.words for rate in rates if not rate.is_bounded)

    @classmethod
    def load(cls, folder: Path) -> "Results":
        """Read the kept results."""
        return msgspec.json.decode((folder / NAME).read_bytes(), type=cls)

    def save(self, folder: Path) -> None:
        """Keep the results."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=1)
        (folder / NAME).write_bytes(text + b"\n")
