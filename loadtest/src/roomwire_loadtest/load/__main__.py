"""`python -m roomwire_loadtest.load`: run a scenario against a URL, judge the run, and report by the exit code."""

# isort: off
from locust.env import Environment  # imported first, because it lets gevent replace sockets
# isort: on

import argparse
import datetime as dt
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust.html import get_html_report
from locust.runners import WORKER_REPORT_INTERVAL
from locust.stats import stats_history

from roomwire_loadtest.checkout import RESULTS
from roomwire_loadtest.faults.journal import Entry, save
from roomwire_loadtest.faults.oracle import check, generator_load
from roomwire_loadtest.load import thresholds
from roomwire_loadtest.load.exchange import LEAST_CUT, Exchange, connected, exchange, unproven
from roomwire_loadtest.load.people import KIND, SETTLE_S, Course, Person, meter, pass_on
from roomwire_loadtest.load.record import Generator, Record
from roomwire_loadtest.load.scenarios import SCENARIOS
from roomwire_loadtest.load.target import Target, WrongUrl
from roomwire_loadtest.load.timeline import timeline
from roomwire_loadtest.load.verdict import dismissed, refused, silence, unacknowledged, void_reasons
from roomwire_loadtest.machine import describe_machine

_THRESHOLDS = Path(__file__).with_name("thresholds.toml")
_WORKERS_TIMEOUT_S = 120.0
_EXCHANGED_AT = 0.3
"""The share of a run after which gateways are replaced, in a scenario that does so; later if users are still connecting."""
_LOOK_S = 0.5


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m roomwire_loadtest.load",
        description="Exit codes: 0 thresholds kept, 1 broken, 3 void: the run shows nothing.",
        epilog="Scenarios: " + "; ".join(f"{name}: {one.title}" for name, one in SCENARIOS.items()),
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="mixed")
    parser.add_argument(
        "--url", default="http://localhost:3000", help="the ingress; a path goes before /auth and /socket.io/"
    )
    parser.add_argument("--users", type=int, default=100, help="number of users over all workers")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="duration, including the arrival of users"
    )
    parser.add_argument("--thresholds", type=Path, default=_THRESHOLDS)
    parser.add_argument("--out", type=Path, default=Path("artifacts/load"), help="folder of the report")
    parser.add_argument(
        "--exchange",
        default="",
        metavar="COMMAND",
        help="command that replaces the gateways in the scenario rollout. Default: the supervisor of `make up` on the URL's port",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep it in loadtest/results as well, unless it is void"
    )
    parser.add_argument("--web", type=int, metavar="PORT", help="show locust's page while it runs")
    parser.add_argument(
        "--master", type=int, metavar="WORKERS", help="wait for this number of workers, and lead them"
    )
    parser.add_argument("--worker", metavar="HOST", help="work for the master on this host")
    parser.add_argument("--port", type=int, default=5557, help="the master's port. Default: 5557")
    arguments = parser.parse_args()
    try:
        Target.of(arguments.url)
    except WrongUrl as error:
        parser.error(f"--url: {error}")
    # The page of `--web` asks locust's own parser for editable options, and that parser would read these arguments.
    del sys.argv[1:]
    return arguments


def _run(
    arguments: argparse.Namespace, environment: Environment, journal: list[Entry], exchanges: list[Exchange]
) -> None:
    """Run until the end of the scenario; a worker stays until its master ends."""
    runner: Any
    if arguments.worker:
        runner = environment.create_worker_runner(arguments.worker, arguments.port)
    elif arguments.master:
        runner = environment.create_master_runner("*", arguments.port)
    else:
        runner = environment.create_local_runner()
    runner.started_s = time.time()
    if arguments.worker:
        environment.events.test_start.add_listener(  # type: ignore[no-untyped-call]
            lambda environment: setattr(environment.runner, "started_s", time.time())
        )
        gevent.spawn(meter, journal)
        runner.greenlet.join()
        return
    if arguments.web:
        environment.create_web_ui("127.0.0.1", arguments.web)
    if arguments.master:
        with gevent.Timeout(_WORKERS_TIMEOUT_S):
            while len(runner.clients.ready) < arguments.master:
                gevent.sleep(0.1)
    else:
        gevent.spawn(meter, journal)
    gevent.spawn(stats_history, runner)
    runner.started_s = time.time()
    runner.start(arguments.users, spawn_rate=SCENARIOS[arguments.scenario].spawn_hz)
    exchanging = None
    if SCENARIOS[arguments.scenario].exchanges:
        exchanging = gevent.spawn_later(
            _EXCHANGED_AT * arguments.seconds,
            lambda: exchanges.append(_exchange(arguments, journal)),
        )
    gevent.sleep(arguments.seconds)
    if exchanging is not None:
        exchanging.kill()
    runner.stop()
    if arguments.master:
        # Workers send their journals at intervals, and once more when they are told to quit.
        gevent.sleep(WORKER_REPORT_INTERVAL)
    runner.quit()


def _exchange(arguments: argparse.Namespace, journal: list[Entry]) -> Exchange:
    """Replace the gateways once the users are connected; before, there would be no connection to cut."""
    while len(connected(journal)) < LEAST_CUT * arguments.users:
        gevent.sleep(_LOOK_S)
    return exchange(arguments.url, arguments.exchange)


def _measured(environment: Environment, totals: dict[str, int], journal: list[Entry]) -> dict[str, float]:
    """Return the values that thresholds apply to, by name."""
    values: dict[str, float] = dict(totals)
    for what in ("connect", "delivery", "ack"):
        stats = environment.stats.get(what, KIND)
        if stats.num_requests > stats.num_failures:
            values |= {f"{what}_p{p}_ms": stats.get_response_time_percentile(p / 100) for p in (50, 99)}
    failures = {
        what: environment.stats.get(what, KIND).num_failures
        for what in ("login", "refresh", "connect", "join", "renewal")
    }
    values["failed_logins"] = failures["login"] + failures["refresh"]
    values["failed_messages"] = unacknowledged(journal)
    values["failed_joins"] = failures["join"]
    values["failed_renewals"] = failures["renewal"]
    values["refused_connects"] = refused(journal)
    values["failed_connects"] = failures["connect"] - values["refused_connects"]
    values["dismissed"] = dismissed(journal)
    return values


def _judged(arguments: argparse.Namespace, journal: list[Entry]) -> type[Person]:
    """Return simulated users that write the journal, and fall silent before the end."""

    class Judged(Person):
        """A user of the judged run."""

        def course(self) -> Course:
            return Course(
                scenario=SCENARIOS[arguments.scenario],
                write=journal.append,
                end_s=self.environment.runner.started_s + arguments.seconds - SETTLE_S,
            )

    return Judged


def _successes(environment: Environment, what: str) -> int:
    stats = environment.stats.get(what, KIND)
    return int(stats.num_requests - stats.num_failures)


def _failures(environment: Environment) -> list[str]:
    """Return each failure with its reason and count; the most frequent first."""
    errors = sorted(environment.stats.errors.values(), key=lambda error: -error.occurrences)
    return [f"{error.name}: {error.error}, {error.occurrences:,} times" for error in errors]


def main() -> int:
    """Run, judge and report; returns the exit code."""
    arguments = _arguments()
    limits = thresholds.read(arguments.thresholds)
    scenario = SCENARIOS[arguments.scenario]
    journal: list[Entry] = []
    exchanges: list[Exchange] = []
    environment = Environment(user_classes=[_judged(arguments, journal)], host=arguments.url)
    pass_on(environment, journal, encode=msgspec.json.encode, decode=msgspec.json.Decoder(list[Entry]).decode)
    date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    _run(arguments, environment, journal, exchanges)
    if arguments.worker:
        return thresholds.Outcome.KEPT
    findings = check(journal)
    measured = _measured(environment, dict(findings.totals), journal)
    void = void_reasons(journal, failed_logins=measured["failed_logins"])
    void += unproven(journal, exchanges) if scenario.exchanges else []
    breaches = silence(findings) + thresholds.broken(limits, measured)
    outcome = thresholds.outcome(void=void, breaches=breaches)
    cpu, lag_ms = generator_load(journal)
    began_ms = min((entry.at_ms for entry in journal), default=0.0)
    record = Record(
        scenario=arguments.scenario,
        title=scenario.title,
        url=arguments.url,
        date=date,
        machine=describe_machine(),
        users=arguments.users,
        seconds=arguments.seconds,
        outcome=outcome.name,
        void=void,
        broken=breaches,
        measured=measured,
        failures=_failures(environment),
        connections=dict(Counter(entry.detail for entry in journal if entry.kind == "connect")),
        refreshed=_successes(environment, "refresh"),
        renewed=_successes(environment, "renewal"),
        acknowledged=findings.acknowledged,
        delivered=findings.delivered,
        recovered=findings.story.recovered,
        exchanged=[proof for one in exchanges for proof in one.proofs],
        faults_s=[
            ((one.began_ms - began_ms) / 1_000, (one.ended_ms - began_ms) / 1_000) for one in exchanges
        ],
        generator=Generator(cpu=cpu, lag_ms=lag_ms),
        timeline=timeline(journal, findings.latencies_ms),
    )
    record.save(arguments.out)
    html: str = get_html_report(environment)  # type: ignore[no-untyped-call]
    (arguments.out / "load.html").write_text(html, encoding="utf-8")
    save(journal, arguments.out / "journal.jsonl")
    if arguments.keep and outcome is not thresholds.Outcome.VOID:
        record.save(RESULTS)
    print((arguments.out / "load.md").read_text(encoding="utf-8"))
    for evidence in findings.evidence.values():
        print("\n".join(evidence))
    # `make` has one exit code for all failures, so the last line tells this program's exit code as well.
    print(f"{outcome.name}: exit code {int(outcome)}")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
