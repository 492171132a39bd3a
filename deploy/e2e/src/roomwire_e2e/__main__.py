"""Installs Roomwire on a cluster and breaks it in every way that an operator knows, under load: `make e2e`.

Environment:

- `E2E`: the phases to run, as `E2E="kill upgrade"`. `edges` tests which connections between pods the network policies allow.
  Phases whose names end with `-app` run with an application that is not the chat; the chart gets it as a file. `new` follows the
  README's lines, with a release's folder and a fresh environment, which an index of packages fills. It needs Chromium.
- `RELEASE_FOLDER`: the folder of that release. Default: one that is built here, without the archives of the images.
- `E2E_URL`: the URL of the ingress of the cluster that kubectl uses. Default: the local cluster's tool, beside the
  checkout or at `E2E_CLUSTER`; if its cluster is up already, it is left running.
- `E2E_BUILD`, `E2E_LOAD`: the commands that build an image, such as `docker build`, and that load it into the cluster, such
  as `kind load docker-image`.
- `E2E_INGRESS`: the address of the ingress inside the cluster, for `load`. Default: that of the local cluster.
- `E2E_TLS_PORT`: the port on this machine on which the cluster's ingress serves TLS, for `tls-ingress`. Default: that of the
  local cluster.
- `E2E_NAMESPACE`: the namespace (default `roomwire-e2e`), and the prefix of two more, for `quota` and `manifests`;
  they are deleted before and after.
- `E2E_VALUES`: chart values that this cluster needs, such as `E2E_VALUES="ingress.host=chat.test"`. Default: none.
- `ALLOW_SKIP`: phases that may be skipped, such as `ALLOW_SKIP=previous`.
"""

import asyncio
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from roomwire_e2e import images
from roomwire_e2e.applications import ORDER, VALUES, application_of
from roomwire_e2e.cluster import TOP, Cluster, ClusterError, from_environment
from roomwire_e2e.edges import edges, idle_rules, metrics_are_hidden
from roomwire_e2e.elsewhere import try_manifests, try_quota
from roomwire_e2e.load import run_load, wrong
from roomwire_e2e.phases import PHASES
from roomwire_e2e.release import NAME, Release
from roomwire_e2e.tls import spoken
from roomwire_e2e.tls_ingress import try_tls_at_ingress
from roomwire_loadtest.faults.fleet import FleetError, run_fleet
from roomwire_loadtest.faults.journal import save
from roomwire_loadtest.faults.judge import judge
from roomwire_loadtest.faults.report import FAIL, PASS, SKIP, Outcome, table
from roomwire_loadtest.faults.stage import Row, Skipped, Stage

_EDGES: Final = "edges"
_LOAD: Final = "load"
_MANIFESTS: Final = "manifests"
_QUOTA: Final = "quota"
_TEST: Final = "test"
_TEST_APP: Final = "test-app"
_TLS: Final = "tls"
_TLS_INGRESS: Final = "tls-ingress"
_INTERRUPTED: Final = 130
_LINES: Final = 6
_ARTIFACTS: Final = TOP / "artifacts" / "e2e"


@dataclass(frozen=True)
class Trial:
    """A test of a release without clients.

    Attributes:
        what: Its name in the table.
        run: Runs the test; returns what it showed, or raises `ClusterError`.

    """

    what: str
    run: Callable[[Release], Awaitable[list[str]]]


def chosen(wanted: str) -> list[str]:
    """Return the phases to run, in order: those of one application after those of the one before."""
    known = sorted([*TRIALS, *(row.id for row in PHASES)], key=lambda name: ORDER.index(application_of(name)))
    asked = wanted.split() or known
    if unknown := set(asked) - set(known):
        sys.exit(f"there is no phase {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in asked]


async def play(row: Row, release: Release) -> Outcome:
    """Run a phase, and judge it by its clients' journal."""
    began, crash, stage = time.monotonic(), list[str](), None
    if row.run is None:
        raise ValueError(f"{row.id} does nothing")
    try:
        async with run_fleet(application=application_of(row.id)) as fleet:
            if application_of(row.id) in VALUES:
                await release.serve(application_of(row.id))
            stage = Stage(release, fleet, quick=False)  # type: ignore[arg-type] # a system as well
            try:
                await row.run(stage)
            finally:
                fleet.finish()
                await stage.resources.aclose()
                _ARTIFACTS.mkdir(parents=True, exist_ok=True)
                save(fleet.entries, _ARTIFACTS / f"{row.id}.jsonl")
    except Skipped as skipped:
        return Outcome(id=row.id, fault=row.fault, verdict=SKIP, reasons=[str(skipped)])
    except (FleetError, ClusterError, TimeoutError) as error:
        crash = [f"{type(error).__name__}: {error}"]
    except Exception as error:
        crash = [f"the phase broke: {error!r}", *traceback.format_exc().splitlines()[-6:]]
    if stage is None:
        return Outcome(id=row.id, fault=row.fault, verdict=FAIL, reasons=crash)
    return judge(row, stage, crash, quick=False, took_s=time.monotonic() - began)


async def try_edges(release: Release) -> list[str]:
    """Test that exactly the required connections can be made."""
    found = await edges(release)
    wrong = [str(edge) for edge in found if not edge.is_right]
    if hidden := await metrics_are_hidden(release):
        wrong.append(hidden)
    idle, tried = await idle_rules(release)
    wrong += [f"nothing needs it: {what}" for what in idle]
    if wrong:
        raise ClusterError("; ".join(wrong))
    return [
        f"{len(found)} connections tried, then {tried} rules and peers removed, one at a time",
        *(str(edge) for edge in found),
    ]


async def helm_test(release: Release) -> list[str]:
    """Run the chart's own test, with the checks of the application; returns the last lines that it prints."""
    said = await release.cluster.helm("test", NAME, "--timeout", "5m", "--logs")
    return said.strip().splitlines()[-_LINES:]


async def helm_test_over_tls(release: Release) -> list[str]:
    """Run the chart's own test as soon as both services have been switched to TLS, while old pods are still running."""
    async with spoken(release) as proof:
        await helm_test(release)
        return proof


async def try_load(release: Release) -> list[str]:
    """Run the chart's load test."""
    report = await run_load(release, await _version(release.cluster))
    if found := list(wrong(report)):
        raise ClusterError("; ".join(found))
    said, heard = report.acknowledged, report.delivered
    return [f"{report.users} people: {said} acknowledged, {heard} arrived"]


async def try_out(name: str, trial: Trial, release: Release) -> Outcome:
    """Run a trial; a failure becomes a sentence."""
    began, reasons, proof = time.monotonic(), list[str](), list[str]()
    try:
        await release.serve(application_of(name))
        proof = await trial.run(release)
    except Skipped as skipped:
        return Outcome(id=name, fault=trial.what, verdict=SKIP, reasons=[str(skipped)])
    except ClusterError as error:
        reasons = [str(error)]
    return Outcome(
        id=name,
        fault=trial.what,
        verdict=FAIL if reasons else PASS,
        reasons=reasons,
        proof=proof,
        took_s=time.monotonic() - began,
    )


async def run_all(names: list[str], environment: Mapping[str, str]) -> list[Outcome]:
    """Build, install, run the phases, and clean up."""
    cluster = await Cluster.found(environment)
    try:
        release = Release(cluster)
        is_served = any(application_of(name) in VALUES for name in names)
        _say(f"building images for {cluster.url}")
        services = images.SERVICES if is_served else ("auth",)
        await images.build(cluster, await _version(cluster), services=services)
        await images.build_redis(cluster, await _redis_image(cluster))
        await release.remove()
        try:
            if is_served:
                _say("installing")
                await release.install()
                await release.until_ready("gateway", 2)
                await release.until_served()
            return await _phases(names, release)
        finally:
            await _keep(cluster)
            await release.remove()
    finally:
        await cluster.down()


TRIALS: Final[Mapping[str, Trial]] = {
    _TEST: Trial("helm test", helm_test),
    _TEST_APP: Trial("helm test of another application, with its own checks", helm_test),
    _EDGES: Trial("the connections that network policies allow", try_edges),
    _TLS: Trial("both services speak TLS", helm_test_over_tls),
    _TLS_INGRESS: Trial("TLS ends at the ingress, and nothing else is set", try_tls_at_ingress),
    _QUOTA: Trial("a quota, a range of limits, a tainted node, another user", try_quota),
    _MANIFESTS: Trial("kubectl apply, twice", try_manifests),
    _LOAD: Trial("the chart's load test", try_load),
}
"""The phases that run without clients."""


async def _phases(names: list[str], release: Release) -> list[Outcome]:
    rows = {row.id: row for row in PHASES}
    outcomes = []
    for name in names:
        _say(f"{name} ...")
        if name in TRIALS:
            outcome = await try_out(name, TRIALS[name], release)
        else:
            outcome = await play(rows[name], release)
        _say("; ".join([f"{name}: {outcome.verdict}", *outcome.reasons]))
        outcomes.append(outcome)
    return outcomes


async def _version(cluster: Cluster) -> str:
    shown = await cluster.helm("show", "chart", "deploy/helm/roomwire")
    return next(
        line.partition(":")[2].strip(' "') for line in shown.splitlines() if line.startswith("appVersion:")
    )


async def _redis_image(cluster: Cluster) -> str:
    named = [part for name, image in images.REPOSITORIES.items() for part in ("--set", f"{name}={image}")]
    rendered = await cluster.helm(
        "template", "chat", "deploy/helm/roomwire", "--show-only", "templates/redis/statefulset.yaml", *named
    )
    return next(line.partition("image:")[2].strip() for line in rendered.splitlines() if " image:" in line)


async def _keep(cluster: Cluster) -> None:
    """Keep the pods' logs, so that a verdict can be investigated."""
    _ARTIFACTS.mkdir(parents=True, exist_ok=True)
    everything = ("--selector", "app.kubernetes.io/instance", "--prefix", "--max-log-requests", "20")
    for name, command in {
        "pods.txt": ("get", "pods,events,networkpolicies,hpa", "--output", "wide"),
        "pods.log": ("logs", *everything, "--tail", "2000"),
    }.items():
        try:
            text = await cluster.kubectl(*command)
            await asyncio.to_thread((_ARTIFACTS / name).write_text, text, encoding="utf-8")
        except ClusterError as error:
            _say(str(error))


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> int:
    """Run the command line; returns the exit status."""
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return 0
    # At SIGTERM the run ends everything that it has started, as at any other end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = from_environment()
    names = chosen(environment.get("E2E", ""))
    try:
        outcomes = asyncio.run(run_all(names, environment))
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    text = table(outcomes)
    (_ARTIFACTS / "table.txt").write_text(text + "\n", encoding="utf-8")
    print("\n" + text)
    return 0 if passes(outcomes, set(environment.get("ALLOW_SKIP", "").split())) else 1


def passes(outcomes: Sequence[Outcome], allow_skip: AbstractSet[str]) -> bool:
    """Return whether a run passed: something was shown, and every skipped phase may be skipped."""
    skipped = {one.id for one in outcomes if one.verdict == SKIP}
    return (
        bool(outcomes)
        and skipped <= allow_skip
        and all(one.verdict == PASS for one in outcomes if one.id not in skipped)
    )


if __name__ == "__main__":
    sys.exit(main())
