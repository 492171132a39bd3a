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


CROWDED_ENTRIES = 6
"""With streams of this length the log's bound in bytes is low as well."""
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
        "Marks, joins and claims use the connection that carries the pushes, so that the reply is the marker.",
    ),
    Rule("local_first", "A gateway delivers its own messages from the log, not when it publishes them."),
    Rule(
        "cut_from_publishes",
        "The answer to a publish does not advance the cut; only the log's connection does.",
    ),
    Rule(
        "offset_of_the_tick",
        "A frame carries the cut at the time when the frame was written, not at the end of the tick.",
    ),
    Rule(
        "room_events_wait_for_the_tick",
        "While frames are collected to be written together, all later frames wait: pings, replays, volatile events.",
        Bias((DROP, KILL), fault_rate=0.05, time_scale=40),
    ),
    Rule("resent_newest_first", "A gateway sends its unanswered publishes again in their order."),
    Rule(
        "resent_behind_the_others",
        "Unanswered publishes are sent again before newer ones.",
        Bias((UNPLUG,), fault_rate=0.05),
    ),
    Rule(
        "batches_not_chained",
        "A batch names the last number of the previous batch, and is refused unless that number was accepted.",
        Bias((FLUSH,), fault_rate=0.1),
    ),
    Rule(
        "returned_too_soon",
        "Refused publishes are sent again only when nothing is under way any more; earlier, their order could be lost.",
        Bias((FLUSH,), fault_rate=0.1),
    ),
)
ONCE = (
    Rule(
        "publishes_not_numbered",
        "A publish whose number is not above that gateway's last number is a repetition.",
    ),
    Rule("numbered_anew", "A publish that is sent again keeps its number."),
    Rule("settled_when_sent", "A publish is acknowledged when the log has it, not when it was sent."),
    Rule(
        "dropped_with_the_link",
        "Publishes that were under way on a lost link are sent again, because the log may lack them.",
    ),
    Rule(
        "outcome_guessed",
        "A publish that was sent and then given up is never reported as not done.",
        Bias((STALL, UNPLUG), fault_rate=0.05),
    ),
    Rule(
        "sent_after_its_time",
        "A publish that was given up is not sent any more.",
        Bias((STALL, UNPLUG), fault_rate=0.05),
    ),
    Rule("message_ids_forgotten", "A message with a known message id is a repetition by the client."),
)
GAPS = (
    Rule(
        "dead_link_heard",
        "Nothing that arrives on an abandoned link is accepted, replies included.",
        Bias((UNPLUG,), fault_rate=0.05, gateways=1, time_scale=40),
    ),
    Rule("log_not_held", "While a gateway catches up, live messages wait."),
    Rule(
        "gap_by_previous_position",
        "A gap is closed when the link is restored, not when the next message of the room reveals it.",
    ),
    Rule(
        "held_pushes_dropped",
        "Messages that arrive while a gateway catches up are delivered after those that it missed.",
        Bias((UNPLUG,), fault_rate=0.05, gateways=2, clients=1, time_scale=40),
    ),
    Rule("missed_unordered", "Missed messages are delivered before those that arrived while they were read."),
    Rule(
        "delivered_again",
        "A push at or below the reached position is not delivered again, because a read may have delivered it.",
    ),
    Rule(
        "subscriptions_not_counted",
        "A gateway subscribes to a room for as long as it has a member of the room.",
    ),
    Rule("trimming_unnoticed", "A history that may have been trimmed after the base is incomplete."),
    Rule(
        "emptied_is_forgotten",
        "A history that was emptied to make room for others is one that was trimmed, not one in which nothing was said.",
        Bias(stream_entries=CROWDED_ENTRIES),
    ),
    Rule("room_life_too_short", "A room's history outlives every session that could need it."),
)
EPOCHS = (
    Rule(
        "epoch_by_counter",
        "A new incarnation of the primary begins a new epoch, whether or not its counter is behind.",
    ),
    Rule(
        "any_epoch_writes",
        "A script that changes the log is refused if its caller's epoch is over.",
        Bias((FAILOVER, SPLIT, DROP), fault_rate=0.05, time_scale=40),
    ),
    Rule("loss_not_told", "A gateway tells all its clients about a loss that the log proves."),
    Rule(
        "acknowledged_forgotten",
        "Acknowledged positions count as known when a gateway decides whether the log has lost something.",
        Bias((FAILOVER,), fault_rate=0.05),
    ),
    Rule(
        "loss_kept_quiet",
        "A gateway that knows more than the log has proves a loss, and no session continues.",
        Bias((FAILOVER, PAUSE), fault_rate=0.1, gateways=3),
    ),
    Rule(
        "strange_epoch_trusted",
        "An epoch that the log does not know proves a loss as well.",
        Bias((FAILOVER, PAUSE), fault_rate=0.1, gateways=3),
    ),
    Rule(
        "loss_proven_once",
        "A gateway that knows more of an epoch than the last proof of its loss stated proves another loss.",
        Bias((SPLIT,), gateways=3),
    ),
    Rule(
        "silent_session_writes",
        "A write to a session takes a position, so that its loss shows.",
        Bias((FAILOVER, FAILOVER, DROP), fault_rate=0.05, gateways=1, clients=1, time_scale=40),
    ),
    Rule(
        "unconfirmed_claimed",
        "A session is claimed only in an epoch in which its client has confirmed something.",
    ),
    Rule(
        "old_offset_refused",
        "An offset of an epoch that ended without loss is accepted.",
        Bias((RESTART, DROP)),
    ),
    Rule(
        "older_offset_counts",
        "An offset of an epoch before the session's first belongs to another session, and is ignored.",
        Bias((EMPTY, FAILOVER, DROP), time_scale=40),
    ),
    Rule(
        "unknown_epoch_is_nothing",
        "An offset of an epoch that the log does not know is refused, unless the epoch precedes the session.",
        Bias((SPLIT, KILL, DROP), fault_rate=0.05, gateways=3, clients=1, time_scale=40),
    ),
)
SESSIONS = (
    Rule("ack_before_the_log", "A client is told that it is in a room only when the log has the join."),
    Rule("join_begins_anew", "A repeated join keeps the interval that is open."),
    Rule(
        "join_repeated_blindly",
        "A join with an unknown outcome closes the transport, because the session has the outcome.",
    ),
    Rule(
        "receipt_for_the_cut",
        "A pong confirms frames that were written before its ping, not later ones.",
        Bias((DROP,), fault_rate=0.05, time_scale=40),
    ),
    Rule(
        "claim_prolongs",
        "Only an answered ping prolongs a session's life; a claim does not, nor does a heartbeat for a silent client.",
        Bias((DROP,), fault_rate=0.1, clients=1, time_scale=1, steps=900),
    ),
    Rule("heartbeat_revives", "A heartbeat never brings back a session that has expired."),
    Rule(
        "claims_not_fenced",
        "A write with an old claim number is refused.",
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
        "A socket is admitted at its mark only if it still holds its session, because a fence may have arrived before the mark.",
        Bias((TAB, DROP), fault_rate=0.1, gateways=2, clients=1, time_scale=40),
    ),
    Rule(
        "fenced_is_disconnected",
        "A fenced socket's transport is closed; a DISCONNECT could reach the rightful client.",
        Bias((DROP, PAUSE), time_scale=40),
    ),
    Rule(
        "duel_goes_on",
        "A session that was claimed too often in a short time stays where it is, and the claimant gets a new one.",
        Bias((TAB, DROP), time_scale=40),
    ),
    Rule(
        "kept_for_nobody",
        "A message to a socket without a session is not appended.",
        Bias((PAUSE, STALL), fault_rate=0.05, time_scale=1),
    ),
    Rule(
        "claim_deletes",
        "A claim leaves the session in the log, because the client may drop again.",
        LONG_LIVED,
    ),
)
RECOVERY = (
    Rule(
        "no_deadline",
        "The last read has a deadline after the claim, because later a room's history may have expired unnoticed.",
        Bias((PAUSE, DROP), fault_rate=0.02, gateways=2, clients=2, time_scale=1, steps=600),
    ),
    Rule(
        "start_ignored",
        "Nothing from before the session is replayed, whatever offset the client holds.",
        Bias((GOODBYE, DROP), time_scale=40),
    ),
    Rule(
        "receipts_ignored",
        "Messages that a client has confirmed are not replayed.",
        Bias((DROP,), fault_rate=0.05, clients=3, stream_entries=2, time_scale=40, steps=240),
    ),
    Rule("joined_ignored", "A room's messages are replayed from the client's join on."),
    Rule(
        "room_forgotten_when_left",
        "The messages of a room that the client has left are replayed up to its leave.",
        Bias((DROP, PAUSE), fault_rate=0.02, gateways=1, time_scale=40),
    ),
    Rule(
        "filter_by_present_rooms",
        "The receivers of a message to several rooms are determined by the memberships at its position.",
        Bias((DROP,), fault_rate=0.05, gateways=1, time_scale=40, steps=240),
    ),
    Rule("exclusion_forgotten", "A client that a message excluded is excluded from its replay as well."),
    Rule(
        "excepted_rooms_forgotten",
        "A client that was in a room that a message leaves out is left out of its replay as well.",
        Bias((DROP,), fault_rate=0.05, time_scale=40),
    ),
    Rule(
        "excepted_by_present_rooms",
        "Whom a message leaves out is determined by the memberships at its position, not when it is replayed.",
        Bias((DROP,), fault_rate=0.05, gateways=1, time_scale=40, steps=240),
    ),
    Rule("replayed_by_room", "A replay is in the log's order, across all rooms."),
    Rule("live_during_replay", "Live messages wait until the replay is written."),
    Rule(
        "volatile_during_replay",
        "Volatile events wait as well: their offset would skip the rest of the replay.",
        Bias((DROP,), fault_rate=0.05, gateways=1, clients=1, time_scale=40),
    ),
    Rule(
        "volatile_to_the_recovering",
        "A volatile event is dropped for a client that is being recovered: it would precede the reply, and its offset would skip the rest.",
        Bias((DROP,), fault_rate=0.05, gateways=1, clients=1, time_scale=40),
    ),
    Rule(
        "replayed_with_the_cut",
        "A replayed message has its own position as its offset.",
        Bias((DROP, KILL), 0.1),
    ),
    Rule(
        "replay_before_reply",
        "The CONNECT reply precedes the replay, because the client keeps earlier events for later.",
    ),
    Rule(
        "reply_before_reading",
        "The CONNECT reply follows the last read, because until then it may become a refusal.",
        Bias((DROP, KILL), fault_rate=0.05, stream_entries=2),
    ),
)
CLIENTS = (
    Rule("volatile_logged", "Volatile events are not in the log."),
    Rule(
        "volatile_sent_again",
        "Volatile events are sent to Redis once: those that were under way on a lost link may have been pushed.",
        Bias((UNPLUG,), fault_rate=0.05, time_scale=40),
    ),
    Rule(
        "volatile_without_offset",
        "Every event has an offset, because the client takes any last string for one.",
    ),
    Rule(
        "stored_on_close",
        "A session is stored when it begins, not when its gateway closes it.",
        Bias((KILL,), time_scale=40),
    ),
)
RULES = (*ORDER, *ONCE, *GAPS, *EPOCHS, *SESSIONS, *RECOVERY, *CLIENTS)
