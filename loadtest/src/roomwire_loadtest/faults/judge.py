"""Runs one row and combines the results of the scenario and the oracle into its outcome."""

import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from roomwire_loadtest.faults.daemons import NotRunning
from roomwire_loadtest.faults.fleet import FleetError, run_fleet
from roomwire_loadtest.faults.journal import save
from roomwire_loadtest.faults.latency import back_s
from roomwire_loadtest.faults.namespace import NoNamespaces
from roomwire_loadtest.faults.oracle import Findings, check, generator_load, void_reasons
from roomwire_loadtest.faults.report import FAIL, NOT_WRITTEN, PASS, SKIP, VOID, Outcome
from roomwire_loadtest.faults.stage import Row, Skipped, Stage
from roomwire_loadtest.faults.system import run_system


async def play(row: Row, *, quick: bool, journals: Path | None = None, is_timed: bool = True) -> Outcome:
    """Run a row on a new system.

    Args:
        row: The row.
        quick: Whether to run a short version.
        journals: A folder for the journal.
        is_timed: Whether criteria about time count.

    """
    if row.run is None:
        return Outcome(id=row.id, fault=row.fault, verdict=NOT_WRITTEN)
    began = time.monotonic()
    stage: Stage | None = None
    crash: list[str] = []
    try:
        async with (
            run_system(
                gateways=row.gateways,
                settings=row.settings,
                isolated=row.isolated,
                failover=row.failover,
                home=row.home,
            ) as system,
            run_fleet() as fleet,
        ):
            stage = Stage(system, fleet, quick, is_timed)
            try:
                await row.run(stage)
            finally:
                fleet.finish()
                await stage.resources.aclose()
                if journals:
                    _keep(stage, journals, row.id.replace(" ", "-"))
    except (Skipped, NoNamespaces) as skipped:
        return Outcome(id=row.id, fault=row.fault, verdict=SKIP, reasons=[str(skipped)])
    except (FleetError, NotRunning) as error:
        crash = [str(error)]
    except Exception as error:
        crash = [f"the scenario broke: {error!r}", *traceback.format_exc().splitlines()[-6:]]
    if stage is None:
        return Outcome(id=row.id, fault=row.fault, verdict=FAIL, reasons=crash)
    return judge(row, stage, crash, quick=quick, took_s=time.monotonic() - began)


def _keep(stage: Stage, journals: Path, name: str) -> None:
    """Keep the journal and the logs, so that a verdict can be investigated."""
    journals.mkdir(parents=True, exist_ok=True)
    save(stage.fleet.entries, journals / f"{name}.jsonl")
    for daemon in stage.system.daemons:
        if daemon.log.exists():
            (journals / f"{name}-{daemon.name}.log").write_bytes(daemon.log.read_bytes())


def judge(row: Row, stage: Stage, crash: Sequence[str], *, quick: bool, took_s: float = 0.0) -> Outcome:
    """Judge a run: FAIL if anything is wrong, otherwise VOID if it shows nothing, otherwise PASS."""
    entries = stage.fleet.entries
    findings = check(entries)
    slow_s = back_s(findings.latencies_ms, stage.faults_ms)
    failures = [*crash, *stage.breaches, *_violations(findings), *_reconnections(row, findings)]
    if findings.story.absent:
        failures.append(f"{len(findings.story.absent)} clients were not back at the end")
    if stage.is_timed and row.back_within_s is not None and slow_s > row.back_within_s:
        failures.append(f"p99 was back after {slow_s:.2f} s only")
    void = void_reasons(
        findings,
        entries,
        proofs=stage.proofs,
        missing_proofs=stage.missing_proofs,
        at_least=row.at_least // 3 if quick else row.at_least,
        is_timed=stage.is_timed,
    )
    return Outcome(
        id=row.id,
        fault=row.fault,
        # An observed violation counts, whatever else the run lacks.
        verdict=FAIL if failures else VOID if void else PASS,
        counts=dict(findings.totals),
        told=findings.told,
        acknowledged=findings.acknowledged,
        delivered=findings.delivered,
        recovered=findings.story.recovered,
        not_recovered=findings.story.not_recovered,
        back_s=slow_s,
        cpu=generator_load(entries)[0],
        proof=stage.proofs,
        reasons=[*failures, *(f"void: {reason}" for reason in void)],
        notes=stage.notes,
        took_s=took_s,
    )


def _violations(findings: Findings) -> list[str]:
    lines = []
    for name, count in findings.totals.items():
        if count:
            receivers = sum(counts[name] > 0 for counts in findings.by_receiver.values())
            lines.append(f"{count} {name} at {receivers} receivers, as: {findings.evidence[name][0]}")
    return lines


def _reconnections(row: Row, findings: Findings) -> list[str]:
    story = findings.story
    match row.reconnections:
        case "all recovered" if story.not_recovered:
            return [
                f"{story.not_recovered} of {story.recovered + story.not_recovered} reconnections were not recovered"
            ]
        case "none recovered" if story.recovered or not story.not_recovered:
            return [f"{story.recovered} recovered, {story.not_recovered} not: this fault allows no recovery"]
    return []
