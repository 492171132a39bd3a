"""The rules of several logs, and for each the bug that it prevents: a name by which the simulation leaves the rule out.

As with the rules of one log, a rule is here only if the check catches its bug, within `BOUND` schedules.
"""

from typing import Final, NamedTuple

from model.many.faults import ANOTHER_NUMBER, KICK, KICK_USER, UNMIXED, Mix
from model.rules import DROP, EMPTY, KILL, RESTART, STALL, UNPLUG

BOUND: Final = 500


class Rule(NamedTuple):
    """A rule in a sentence, the name of the bug that breaks it, and the faults with which it is looked for."""

    bug: str
    sentence: str
    mix: Mix = UNMIXED


RULES: Final = (
    Rule(
        "cut_of_another_log",
        "The offset of a frame is the cut of the log that the frame's namespace belongs to.",
    ),
    Rule(
        "one_epoch_for_all",
        "An attach compares the incarnation of its own primary: when another restarts, this log's epoch goes on.",
        Mix((RESTART, DROP), fault_rate=0.1),
    ),
    Rule(
        "all_logs_held",
        "While a log is held, the others go on: each has links of its own and is resynchronised alone.",
    ),
    Rule(
        "held_log_refuses",
        "A CONNECT to a namespace of a held log waits without an answer; a refusal would be final.",
    ),
    Rule(
        "closed_while_held",
        "A connection is closed for the sake of a log only once that log is live again, so that its client can come back to it.",
        Mix((STALL, UNPLUG, RESTART), fault_rate=0.1),
    ),
    Rule(
        "loss_closes_all",
        "When a log lost data, the connections with a socket in that log are closed, and no others.",
        Mix((EMPTY,), failing=(1,), fault_rate=0.1),
    ),
    Rule(
        "request_on_another_log",
        "A request that concerns a namespace travels on its log, behind what was published to the namespace before.",
        Mix((KICK,), fault_rate=0.1),
    ),
    Rule(
        "one_log_asked",
        "What concerns a user is asked of every log; a log that does not answer is named in the result.",
        Mix((KICK_USER,), fault_rate=0.05),
    ),
    Rule(
        "claims_do_not_ask",
        "Whether a user was sent away is looked at before a session is opened or claimed, and once more when the log has it.",
        Mix((KICK_USER, DROP), fault_rate=0.1),
    ),
    Rule(
        "number_of_logs_not_written",
        "The number of logs is written in the first log, and a process with another number does not start.",
        Mix((ANOTHER_NUMBER, KILL), fault_rate=0.05),
    ),
    Rule(
        "not_made_again",
        "A client that comes back to a dynamic namespace makes it again before it claims its session.",
        Mix((DROP, KILL), fault_rate=0.05),
    ),
    Rule(
        "sessions_go_with_the_namespace",
        "A dynamic namespace goes with its last member, but its log keeps sessions and streams for their time to live.",
        Mix((DROP,), fault_rate=0.05),
    ),
)
