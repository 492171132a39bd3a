"""The rules of the log, and for each the bug that it prevents: a name by which the simulation leaves the rule out.

A rule is here only if the check catches its bug, within `BOUND` schedules. Most are caught by schedules of any kind;
where a bug needs rare circumstances, its bias makes those common, and the search does the rest.
"""

from typing import NamedTuple

BOUND = 5_000

DROP = "drop a client"
KILL = "kill a gateway"
PAUSE = "pause a gateway"
UNPLUG = "break a link to Redis"
STALL = "stall Redis"
RESTART = "restart Redis with its data"
EMPTY = "restart Redis without data"
FAILOVER = "promote a lagging replica"
SPLIT = "promote a replica while the old primary goes on"
FLUSH = "make Redis forget its scripts"
GOODBYE = "a client disconnects on purpose"
TAB = "a tab is duplicated, pid and all"
FAULTS = (DROP, KILL, PAUSE, UNPLUG, STALL, RESTART, EMPTY, FAILOVER, SPLIT, FLUSH, GOODBYE, TAB)


class Bias(NamedTuple):
    """What a schedule does not leave to its seed: None is left.

    `time_scale` stretches the lives of sessions and rooms; at 40 nothing expires within a schedule.
    """

    faults: tuple[str, ...] | None = None
    fault_rate: float | None = None
    gateways: int | None = None
    clients: int | None = None
    stream_entries: int | None = None
    time_scale: int | None = None
    steps: int | None = None


UNBIASED = Bias()
LONG_LIVED = Bias(time_scale=40)


class Rule(NamedTuple):
    """A rule in a sentence, and the name of the bug that breaks it."""

    bug: str
    sentence: str
    bias: Bias = UNBIASED


ORDER = (
    Rule(
        "marker_on_bulk",
        "Marks, joins and claims go over the connection that carries the pushes: the reply is the marker.",
    ),
    Rule("local_first", "A gateway delivers its own messages from the log, not when it publishes them."),
    Rule(
        "cut_from_publishes",
        "The answer to a publish says nothing about what the log connection has brought.",
    ),
    Rule(
        "offset_of_the_tick",
        "A frame carries the cut as it was when the frame was written, not the tick's end.",
    ),
    Rule(
        "room_events_wait_for_the_tick",
        "What is held back to be written together holds back everything: pings, replays, volatile events.",
        Bias((DROP, KILL), fault_rate=0.05, time_scale=40),
    ),
    Rule("resent_newest_first", "A gateway sends its unanswered publishes again in their order."),
    Rule(
        "resent_behind_the_others",
        "What was not answered goes out again before what was published meanwhile.",
        Bias((UNPLUG,), fault_rate=0.05),
    ),
    Rule(
        "batches_not_chained",
        "A batch names the last number of the one before it, and is refused unless that was taken.",
        Bias((FLUSH,), fault_rate=0.1),
    ),
    Rule(
        "returned_too_soon",
        "What came back goes out again when nothing is under way any more: before that, order could be lost.",
        Bias((FLUSH,), fault_rate=0.1),
    ),
)
ONCE = (
    Rule(
        "publishes_not_numbered",
        "A publish number that is not above the last one of that gateway is a repetition.",
    ),
    Rule("numbered_anew", "What is sent again keeps its number."),
    Rule("settled_when_sent", "A publish is acknowledged when the log has it, not when it was sent."),
    Rule(
        "dropped_with_the_link",
        "What was under way on a link that was lost is sent again: the log need not have it.",
    ),
    Rule(
        "outcome_guessed",
        "Of a publish that was sent and given up, nobody says that it was not done.",
        Bias((STALL, UNPLUG), fault_rate=0.05),
    ),
    Rule(
        "sent_after_its_time",
        "What was given up is not sent any more.",
        Bias((STALL, UNPLUG), fault_rate=0.05),
    ),
    Rule("message_ids_forgotten", "A message id that is known is a repetition by the client."),
)
GAPS = (
    Rule(
        "dead_link_heard",
        "From a link that was given up nothing is taken any more, replies included.",
        Bias((UNPLUG,), fault_rate=0.05, gateways=1, time_scale=40),
    ),
    Rule("log_not_held", "While a gateway catches up, live messages wait."),
    Rule(
        "gap_by_previous_position",
        "A gap is closed when the link is back, not when the next message of the room shows it.",
    ),
    Rule(
        "held_pushes_dropped",
        "What comes while a gateway catches up is delivered behind what was missed.",
        Bias((UNPLUG,), fault_rate=0.05, gateways=2, clients=1, time_scale=40),
    ),
    Rule("missed_unordered", "What was missed is delivered before what came while it was read."),
    Rule(
        "delivered_again",
        "A push of a position that was reached is not delivered again: a read may have brought it.",
    ),
    Rule("subscriptions_not_counted", "A room is subscribed for as long as one of its members is here."),
    Rule("trimming_unnoticed", "A history that may have been trimmed after the base is not complete."),
    Rule("room_life_too_short", "A room's history outlives every session that could ask for it."),
)
EPOCHS = (
    Rule(
        "epoch_by_counter",
        "A new incarnation of the primary begins a new epoch, whether its counter is behind or not.",
    ),
    Rule(
        "any_epoch_writes",
        "A script that changes the log is refused if its caller's epoch is over.",
        Bias((FAILOVER, SPLIT, DROP), fault_rate=0.05, time_scale=40),
    ),
    Rule("loss_not_told", "A loss that the log proves to a gateway is told to all its clients."),
    Rule(
        "acknowledged_forgotten",
        "What is known from acknowledgements counts as known, when it is asked whether the log has lost something.",
        Bias((FAILOVER,), fault_rate=0.05),
    ),
    Rule(
        "loss_kept_quiet",
        "A gateway that knows more than the log has proves a loss: nobody goes on.",
        Bias((FAILOVER, PAUSE), fault_rate=0.1, gateways=3),
    ),
    Rule(
        "strange_epoch_trusted",
        "An epoch that the log does not know proves a loss as well.",
        Bias((FAILOVER, PAUSE), fault_rate=0.1, gateways=3),
    ),
    Rule(
        "loss_proven_once",
        "Who knows more of an epoch than the last proof of its loss said proves another loss.",
        Bias((SPLIT,), gateways=3),
    ),
    Rule(
        "silent_session_writes",
        "What is written to a session takes a position, so that its loss shows.",
        Bias((FAILOVER, FAILOVER, DROP), fault_rate=0.05, gateways=1, clients=1, time_scale=40),
    ),
    Rule("unconfirmed_claimed", "A session is claimed only in an epoch in which its client was heard of."),
    Rule(
        "old_offset_refused", "An offset of an epoch that ended without loss counts.", Bias((RESTART, DROP))
    ),
    Rule(
        "older_offset_counts",
        "An offset of an epoch before the session's first is of another session, and says nothing.",
        Bias((EMPTY, FAILOVER, DROP), time_scale=40),
    ),
    Rule(
        "unknown_epoch_is_nothing",
        "An offset of an epoch that the log does not know, and that is not before the session, is refused.",
        Bias((SPLIT, KILL, DROP), fault_rate=0.05, gateways=3, clients=1, time_scale=40),
    ),
)
SESSIONS = (
    Rule("ack_before_the_log", "A client is told that it is in a room when the log has it."),
    Rule("join_begins_anew", "A repeated join keeps the interval that is open."),
    Rule("join_repeated_blindly", "A join with an unknown outcome closes the transport: the session knows."),
    Rule(
        "receipt_for_the_cut",
        "A pong answers for what was written before its ping, not for what was written since.",
        Bias((DROP,), fault_rate=0.05, time_scale=40),
    ),
    Rule(
        "claim_prolongs",
        "Only an answered ping prolongs a session's life: neither a claim nor a heartbeat for a silent client does.",
        Bias((DROP,), fault_rate=0.1, clients=1, time_scale=1, steps=900),
    ),
    Rule("heartbeat_revives", "A heartbeat never brings back a session that has expired."),
    Rule(
        "claims_not_fenced",
        "Who writes with an old claim number is refused.",
        Bias((DROP, PAUSE), fault_rate=0.02, gateways=2, time_scale=40),
    ),
    Rule(
        "owner_not_told",
        "A claim tells the old owner to drop its socket.",
        Bias((DROP, PAUSE), fault_rate=0.1, gateways=3, clients=2, time_scale=40, steps=240),
    ),
    Rule(
        "old_socket_lingers",
        "A claim drops an old socket on the claiming gateway at once.",
        Bias((DROP,), gateways=1, time_scale=40),
    ),
    Rule(
        "fenced_before_admission",
        "A socket is admitted at its mark only if it still speaks for its session: a fence may have come before it.",
        Bias((TAB, DROP), fault_rate=0.1, gateways=2, clients=1, time_scale=40),
    ),
    Rule(
        "fenced_is_disconnected",
        "A fenced socket's transport is closed; a DISCONNECT could reach the client that is right.",
        Bias((DROP, PAUSE), time_scale=40),
    ),
    Rule(
        "duel_goes_on",
        "A session that was claimed too often in a short time stays where it is: the claimant gets a new one.",
        Bias((TAB, DROP), time_scale=40),
    ),
    Rule(
        "kept_for_nobody",
        "What is said to a socket without a session is not appended.",
        Bias((PAUSE, STALL), fault_rate=0.05, time_scale=1),
    ),
    Rule("claim_deletes", "A claim leaves the session where it is: the client may drop again.", LONG_LIVED),
)
RECOVERY = (
    Rule(
        "no_deadline",
        "From the claim to the last read there is a deadline: what is read later may have expired unseen.",
        Bias((PAUSE, DROP), fault_rate=0.02, gateways=2, clients=2, time_scale=1, steps=600),
    ),
    Rule(
        "start_ignored",
        "Nothing from before the session is replayed, whatever offset the client still holds.",
        Bias((GOODBYE, DROP), time_scale=40),
    ),
    Rule(
        "receipts_ignored",
        "What a client has answered for it need not be shown again.",
        Bias((DROP,), fault_rate=0.05, clients=3, stream_entries=2, time_scale=40, steps=240),
    ),
    Rule("joined_ignored", "Of a room is replayed what was said after the client had joined it."),
    Rule(
        "room_forgotten_when_left",
        "Of a room that was left is replayed what was said before.",
        Bias((DROP, PAUSE), fault_rate=0.02, gateways=1, time_scale=40),
    ),
    Rule(
        "filter_by_present_rooms",
        "Whom a message to several rooms reaches is judged by the rooms of its time.",
        Bias((DROP,), fault_rate=0.05, gateways=1, time_scale=40, steps=240),
    ),
    Rule("exclusion_forgotten", "Who was left out when it was said is left out when it is replayed."),
    Rule("replayed_by_room", "A replay is in the log's order, from however many rooms it is."),
    Rule("live_during_replay", "Live messages wait until the replay is written."),
    Rule(
        "volatile_during_replay",
        "Volatile events wait as well: their offset would skip the rest of the replay.",
        Bias((DROP,), fault_rate=0.05, gateways=1, clients=1, time_scale=40),
    ),
    Rule(
        "replayed_with_the_cut",
        "A replayed message has its own position as its offset.",
        Bias((DROP, KILL), 0.1),
    ),
    Rule(
        "replay_before_reply", "The CONNECT reply comes before the replay: the client keeps what precedes it."
    ),
    Rule(
        "reply_before_reading",
        "The CONNECT reply comes after the last read: until then it may be a refusal.",
        Bias((DROP, KILL), fault_rate=0.05, stream_entries=2),
    ),
)
CLIENTS = (
    Rule("volatile_logged", "Volatile events are not in the log."),
    Rule("volatile_without_offset", "Every event has an offset: the client takes any last string for one."),
    Rule(
        "stored_on_close",
        "A session is stored when it begins, not when its gateway closes it.",
        Bias((KILL,), time_scale=40),
    ),
)
RULES = (*ORDER, *ONCE, *GAPS, *EPOCHS, *SESSIONS, *RECOVERY, *CLIENTS)
