"""A model made up for tests, and observations that follow from it."""

from roomwire_loadtest.capacity.costs.model import COLD, WEIGHTS, WORK, Model
from roomwire_loadtest.capacity.costs.observed import Observation, Weight

MODEL = Model(
    cpu_s={
        "gateway": dict(
            zip(
                WORK["gateway"],
                (5e-4, 2e-5, 1e-3, 2e-3, 1e-3, 3e-4, 1e-4, 8e-6, 2e-4, 1e-6, 1e-6),
                strict=True,
            )
        ),
        "redis": dict(
            zip(
                WORK["redis"],
                (1e-3, 5e-6, 5e-5, 1e-4, 1e-5, 2e-5, 2e-5, 1e-5, 5e-5, 1e-6),
                strict=True,
            )
        ),
        "auth": {"seconds": 1e-3, "guests": 1e-3, "passwords": 2e-2, "refreshes": 1e-3},
    },
    cold_s={service: dict.fromkeys(units, 1e-4) for service, units in COLD.items()},
    weights={what: dict.fromkeys(units, 100.0) for what, units in WEIGHTS.items()},
    base_bytes={"gateway": 1e8, "auth": 1e8, "redis": 2e6},
)


def observation(
    service: str, work: dict[str, float], *, is_check: bool = False, seconds: float = 4.0
) -> Observation:
    """Return what would be measured of some work, if the model were right."""
    busy = MODEL.busy(service, {name: units / seconds for name, units in work.items()})
    work = {"seconds": seconds, **work}
    return Observation(
        run=f"{service} {work}",
        service=service,
        process=service,
        seconds=seconds,
        cpu_s=busy * seconds,
        work=work,
        is_check=is_check,
    )


def observations() -> list[Observation]:
    """Return enough to fit every coefficient on, and checks."""
    made = []
    for service, units in WORK.items():
        rates = {
            unit: 0.5 / (MODEL.cpu_s[service].get(unit) or MODEL.cold_s[service][unit])
            for unit in {**units, **MODEL.cold_s[service]}
            if unit != "seconds"
        }
        for scale in (1.0, 2.0, 5.0):
            made.append(observation(service, {}))
            made += [observation(service, {unit: rate * scale}) for unit, rate in rates.items()]
        mixed = {unit: 1.5 * rate / len(rates) for unit, rate in rates.items()}
        made.append(observation(service, mixed, is_check=True))
    return made


def weights() -> list[Weight]:
    """Return the same of bytes."""
    made = []
    for what, units in WEIGHTS.items():
        for number, unit in enumerate(units):
            for count in (1_000.0, 5_000.0):
                held = {unit: count, next(iter(units)): count + number}
                made.append(
                    Weight(run=f"{what} {unit}", what=what, total_bytes=MODEL.bytes_of(what, held), held=held)
                )
        held = dict.fromkeys(units, 2_000.0)
        made.append(
            Weight(run="all", what=what, total_bytes=MODEL.bytes_of(what, held), held=held, is_check=True)
        )
    return made
