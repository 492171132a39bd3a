"""The tables of `docs/economics.md`: between marks, generated, and compared by a test."""

import re
from collections.abc import Iterator
from typing import Final

from roomwire_loadtest.checkout import ROOT
from roomwire_loadtest.economics.attacks import Attack
from roomwire_loadtest.economics.charges import times_of_one_connection, units_of
from roomwire_loadtest.economics.judging import at_bound, is_dear, rate_of
from roomwire_loadtest.economics.measuring import Cost
from roomwire_loadtest.economics.results import Results

PATH: Final = ROOT / "docs" / "economics.md"
_MARKED: Final = re.compile(r"(<!-- economics: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COSTS: Final = (
    "| what | way | sends | receives | Redis | times | gateway ms | auth ms | Redis ms | sender ms | price | most/s |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)
_ATTACKS: Final = (
    "| what | way | refused/s | what bounds its rate | at the bound | alone ms | sink ms | attack ms | unanswered |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
_TRIAL_S: Final = 15.0
_CREDENTIALS: Final = {
    "none": "no token",
    "guest": "a guest's token",
    "account": "an account's token",
    "key": "an API key",
}


def filled(page: str, results: Results) -> str:
    """Return a page with the tables of the results between its marks."""
    made = {"costs": costs(results), "attacks": attacks(results), "run": run(results)}
    return _MARKED.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", page)


def costs(results: Results) -> str:
    """Return the table of costs, the worst first."""
    return "\n".join([_COSTS, *(_cost(one, results) for one in results.worst())])


def attacks(results: Results) -> str:
    """Return the table of attacks."""
    return "\n".join([_ATTACKS, *(_attack(one, results) for one in results.attacks)])


def run(results: Results) -> str:
    """Return what is to know of the run, and what nothing has bounded in it."""
    reasons = {f"{_what(cost)} ({cost.way}): {reason}" for cost, reason in results.unbounded()}
    unbounded = "".join(f"\n- {reason}" for reason in sorted(reasons))
    verdict = (
        f"Nothing bounds the rate of these:\n{unbounded}"
        if unbounded
        else "A charge bounds the rate of each thing that is bold."
    )
    user = times_of_one_connection("ROOMWIRE_MAX_EVENTS_PER_USER_PER_S")
    guests = times_of_one_connection("ROOMWIRE_MAX_EVENTS_OF_GUESTS_PER_S")
    return (
        f"{_machine(results)}\n\n{verdict}\n\nThe connections of one user together may cost {user:g} times what one connection may; "
        f"all guests together, while an account is connected, {guests:g} times."
    )


def _machine(results: Results) -> str:
    machine = results.machine
    where = f"Measured {results.date[:10]} on {machine['CPU']} ({machine['cores']} cores)"
    if not results.attacks:
        return f"{where}."
    seconds = min(attack.seconds for attack in results.attacks)
    trial = " This was a short trial, whose times say little." if seconds < _TRIAL_S else ""
    return f"{where}, with {results.crowd:,} clients in the crowd; each attack took {seconds:.0f} seconds.{trial}"


def _cost(one: Cost, results: Results) -> str:
    units, bound = 0, None
    if one.outcome == "answered":
        units = units_of(one, crowd=results.crowd, answer_bytes=one.down_bytes)
        bound = at_bound(one, results.charges_of(one))
    cells = [
        _what(one),
        one.way,
        f"{one.up_bytes:,.0f}",
        f"{one.down_bytes:,.0f}",
        f"{one.redis_bytes:,.0f}",
        f"{one.amplification:,.1f}",
        f"{one.gateway_ms:.2f}",
        f"{one.auth_ms:.2f}",
        f"{one.redis_ms:.2f}",
        f"{one.sender_ms:.2f}",
        f"{units or ''}",
        f"{bound.per_s:,.1f}" if bound else "",
    ]
    row = " | ".join(cells)
    return f"| {'**' + row.replace(' | ', '** | ', 1) if is_dear(one) else row} |"


def _attack(one: Attack, results: Results) -> str:
    cost = results.cost_of(one)
    bound = at_bound(cost, results.charges_of(cost)) if cost else None
    cells = [
        _what(one),
        one.way,
        f"{one.refused / one.seconds:,.1f}",
        rate_of(one, results.charges_under_attack(one)).words,
        f"{bound.cpu_ms:,.0f} ms, {bound.moved_bytes / 1_000:,.0f} kB" if bound else "",
        f"{results.alone_ms:.1f}",
        f"{one.sink_ms:.1f}",
        f"{one.p99_ms:.1f}",
        f"{one.unanswered}",
    ]
    return f"| {' | '.join(cells)} |"


def _what(one: Cost | Attack) -> str:
    return ", ".join(_facts(one))


def _facts(one: Cost | Attack) -> Iterator[str]:
    is_event = one.surface == "event"
    yield f"`{one.name}`" if is_event or one.way == "HTTP" else f"{one.surface} {one.name}"
    if one.form:
        yield one.form
    if one.state:
        yield one.state
    yield _CREDENTIALS[one.token]
    outcome = one.outcome if isinstance(one, Cost) else ""
    if outcome == "closed":
        yield "closes"
