"""A run of a deployment of several logs, to its end, and what it breaks."""

from model import requests
from model.check import RESTLESS, STUCK, Violation, violations
from model.many.deployment import Deployment
from model.many.faults import UNMIXED, Mix
from model.many.line import Half
from model.many.process import LogWorld
from model.many.rules import BOUND, Rule
from model.record import FOREVER, NOBODY, Era, Record
from model.schedule import MOVES_TO_QUIESCENCE, PEACE_ROUNDS, RECONNECTIONS_A_ROUND, Restless, Result, hang_up
from model.world import STAMPS_A_STEP

NOTICED = "noticed"
DISTURBED = "disturbed"
KEPT = "kept"
KINDS_BETWEEN_LOGS = {
    NOTICED: "a connection without a socket in the log that failed was closed",
    DISTURBED: "a connection was closed for the sake of a log to which its client could not come back yet",
    KEPT: "a user was sent away from all logs, and still has a socket in one",
}


def trial(seed: int, bugs: frozenset[str] = frozenset(), mix: Mix = UNMIXED) -> Result:
    """Run a deployment: trouble, then peace while one primary is still away, then peace."""
    return judge(Deployment(seed, bugs, mix))


def first_caught(rule: Rule) -> tuple[int, str]:
    """Leave a rule out; return after how many schedules that shows, and the kinds of violations. 0 means never."""
    for seed in range(BOUND):
        kinds = {violation.kind for violation in trial(seed, frozenset({rule.bug}), rule.mix).violations}
        if kinds:
            return seed + 1, ", ".join(sorted(kinds))
    return 0, ""


def judge(deployment: Deployment) -> Result:
    """Run a deployment to its end."""
    for _ in range(deployment.steps):
        deployment.step()
    stuck_beside = 0
    try:
        if deployment.random.random() < 0.4:
            away = deployment.worlds[-1]
            deployment.has_failed.add(away.number)
            stuck_beside = _make_peace(deployment, away)
        _make_peace(deployment, away=None)
    except Restless:
        return _result(deployment, [Violation(RESTLESS, -1, -1)])
    for world in deployment.worlds:
        if world.failures:
            raise world.failures[0]
    found = [Violation(STUCK, -1, -1)] * stuck_beside
    for world in deployment.worlds:
        found += violations(_record(world))
    return _result(deployment, found + _broken_between(deployment))


def _result(deployment: Deployment, found: list[Violation]) -> Result:
    worlds = deployment.worlds
    for violation in found:
        deployment.tell(f"** {violation.kind}: client {violation.client}, message {violation.message}")
    return Result(
        found,
        sum(world.recovered for world in worlds),
        sum(world.refused for world in worlds),
        worlds[0].stamp // STAMPS_A_STEP,
    )


def _broken_between(deployment: Deployment) -> list[Violation]:
    """Judge what is promised over all logs."""
    found = []
    for number, line in enumerate(deployment.lines):
        if line.closed_while_held:
            found.append(Violation(DISTURBED, number, -1))
        if deployment.is_quiet_beside_logs and not line.logs & deployment.has_failed and line.starts > 1:
            found.append(Violation(NOTICED, number, -1))
    for kick in deployment.kicks:
        is_complete = all(word.is_acknowledged and not word.lost_at for word in kick.words)
        if is_complete and not all(_is_gone(half) for half in kick.line.halves):
            found.append(Violation(KEPT, deployment.lines.index(kick.line), -1))
    return found


def _is_gone(half: Half) -> bool:
    return half.is_banished or half.transport is None


def _record(world: LogWorld) -> Record:
    for message in world.messages:
        message.is_witnessed = message.witness in world.gateways
    stuck = sum(_is_stuck(half) for half in world.clients)
    return Record(world.messages, [_eras(half) for half in world.clients], stuck, world.unexcused)


def _eras(half: Half) -> list[Era]:
    """Return a client's sessions. One that was sent away has all that was said before the last word, or was told at its return."""
    if half.is_refused or half.is_kicked:
        return [*half.eras, Era(NOBODY, FOREVER)]
    if half.is_banished:
        words = (half.world.messages[number] for number in half.kicks)
        ends = [word.stamp for word in words if word.stamp and word.rooms == (f"@{half.era.sid}",)]
        half.era.end = min([half.era.end, *ends])
    return half.eras


def _is_stuck(half: Half) -> bool:
    if half.is_banished:
        return half.is_refused and not half.line.is_revoked
    return not half.is_connected or bool(half.pending) or bool(half.unacknowledged)


def _make_peace(deployment: Deployment, away: LogWorld | None) -> int:
    """Let nothing break any more, and everything come right; but one primary may still be away. Return who is stuck beside it."""
    there = [world for world in deployment.worlds if world is not away]
    for world in deployment.worlds:
        for gateway in world.gateways:
            gateway.paused_until = 0
        world.primary.paused_until = FOREVER if world is away else 0
        for primary in world.deposed if world is not away else ():
            world.excuses.count += 1
            hang_up(primary, deployment.random)
        if world is not away:
            world.deposed.clear()
    deployment.tell("peace" if away is None else f"peace beside log {away.number}")
    _drain(deployment, away)
    halves = [half for world in there for half in world.clients]
    for number in range(PEACE_ROUNDS):
        deployment.pass_time(deployment.worlds[0].limits.heartbeat)
        _reconnect(deployment, away)
        for world in there:
            for gateway in world.gateways:
                requests.heartbeat(gateway)
        _drain(deployment, away)
        if number > 1 and not any(_is_stuck(half) for half in halves):
            return 0
    return sum(_is_stuck(half) for half in halves)


def _reconnect(deployment: Deployment, away: LogWorld | None) -> None:
    for _ in range(RECONNECTIONS_A_ROUND):
        for line in deployment.lines:
            if line.is_away:
                if not all(half.is_banished for half in line.halves):
                    deployment.connect(line)
            else:
                for half in line.halves:
                    if half.is_parted and not half.is_banished:
                        line.come_back(half)
        _drain(deployment, away)


def _drain(deployment: Deployment, away: LogWorld | None) -> None:
    """Deliver what is in flight, but for what goes to a primary that is away."""
    for _ in range(MOVES_TO_QUIESCENCE):
        for world in deployment.worlds:
            world.stamp += STAMPS_A_STEP
        moved = [_move(world, is_away=world is away) for world in deployment.worlds]
        if not any(moved):
            return
    raise Restless


def _move(world: LogWorld, *, is_away: bool) -> bool:
    if not is_away:
        return world.move_something()
    sleeping = [pipe for pipe in world.ready if pipe.reader.paused_until > world.now]
    for pipe in sleeping:
        world.ready.remove(pipe)
    has_moved = world.move_something()
    world.ready += sleeping
    return has_moved
