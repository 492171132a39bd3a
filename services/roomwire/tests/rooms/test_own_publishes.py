"""What waits behind this node's publishes, by tables: no log, no loop, no socket."""

from collections import deque
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.errors import Unavailable
from roomwire.log.contract import Published
from roomwire.log.streams import namespace_stream, room_stream, sid_stream
from roomwire.rooms.own_publishes import OwnPublishes

ANN, BOB = "ann", "bob"
DEN, ATTIC, ALL = room_stream("/", "den"), room_stream("/", "attic"), namespace_stream("/")
STREAMS = {
    ANN: (sid_stream(ANN), ALL, DEN),
    BOB: (sid_stream(BOB), ALL),
}


class Story:
    """The publishes of one node, by name, and what was sent to its members."""

    def __init__(self):
        self.own = OwnPublishes()
        self.answers = {}
        self.sent = []

    def publish(self, name, stream):
        self.answers[name] = Future()
        self.own.add(stream, self.answers[name])

    def answer(self, name, position):
        self.answers[name].set_result(Published(position))

    def send(self, receiver, text):
        if not self.own.wait(receiver, self.own.newest(STREAMS[receiver]), text):
            self.sent.append((receiver, text))

    def receive(self, cut):
        self.sent += self.own.receive(cut)

    def texts(self, receiver=ANN):
        return "".join(text for one, text in self.sent if one == receiver)


@pytest.fixture
def story():
    return Story()


def test_without_a_publish_nothing_waits(story):
    story.send(ANN, "1")

    assert "1" == story.texts()
    assert not story.own.queues


@pytest.mark.parametrize(
    ("stream", "waits"),
    [
        (sid_stream(ANN), True),
        (DEN, True),
        (ALL, True),
        (sid_stream(BOB), False),
        (ATTIC, False),
    ],
)
def test_only_a_publish_to_a_stream_of_the_receiver_is_waited_for(story, stream, waits):
    story.publish("a", stream)
    story.send(ANN, "1")

    assert ("" if waits else "1") == story.texts()


def test_what_waits_follows_when_the_position_of_the_publish_is_reached_and_not_before(story):
    story.publish("a", DEN)
    story.send(ANN, "1")
    story.receive(9)
    story.answer("a", 7)
    story.receive(6)
    assert "" == story.texts()

    story.receive(7)
    story.send(ANN, "2")

    assert "12" == story.texts()
    assert not story.own.unseen
    assert not story.own.queues


def test_a_position_that_was_reached_before_its_answer_is_not_waited_for(story):
    story.publish("a", DEN)
    story.answer("a", 7)
    story.receive(8)
    story.send(ANN, "1")

    assert "1" == story.texts()


def test_messages_for_one_receiver_keep_their_order_whatever_each_waits_for(story):
    story.publish("a", DEN)
    story.publish("b", ALL)
    story.send(ANN, "1")
    story.publish("c", ATTIC)
    story.send(ANN, "2")
    story.publish("d", sid_stream(ANN))
    story.send(ANN, "3")
    story.send(BOB, "4")
    for name, position in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        story.answer(name, position)

    story.receive(1)
    assert "" == story.texts()
    story.receive(2)
    assert ("12", "4") == (story.texts(), story.texts(BOB))
    story.receive(4)
    assert "123" == story.texts()


def test_of_several_publishes_to_a_stream_the_newest_is_waited_for(story):
    story.publish("a", DEN)
    story.send(ANN, "1")
    story.publish("b", DEN)
    story.send(ANN, "2")
    story.answer("a", 1)
    story.answer("b", 5)

    story.receive(4)
    assert "1" == story.texts()
    story.receive(5)
    assert "12" == story.texts()


@pytest.mark.parametrize("outcome", ["refused", "abandoned"])
def test_a_publish_that_failed_is_not_waited_for(story, outcome):
    story.publish("a", DEN)
    story.send(ANN, "1")
    if outcome == "refused":
        story.answers["a"].set_exception(Unavailable())
    else:
        story.answers["a"].cancel()
    story.receive(0)

    assert "1" == story.texts()


def test_a_repetition_whose_position_is_unknown_is_waited_for_until_a_mark_behind_its_answer(story):
    story.publish("a", DEN)
    story.send(ANN, "1")
    assert 0 == story.own.answered()
    story.answer("a", None)
    story.publish("b", ATTIC)
    story.receive(100)
    assert "" == story.texts()

    number = story.own.answered()
    story.publish("c", DEN)
    story.send(ANN, "2")
    story.sent += story.own.marked(number)

    assert "1" == story.texts()


def test_what_has_waited_for_too_long_follows_all_the_same_and_its_publish_is_forgotten(story):
    story.publish("a", DEN)
    story.send(ANN, "1")
    publish = story.own.newest(STREAMS[ANN])
    story.sent += story.own.give_up(publish)
    story.sent += story.own.give_up(publish)
    story.send(ANN, "2")

    assert "12" == story.texts()


def test_what_waits_for_a_receiver_that_is_gone_is_returned_and_the_others_wait_on(story):
    story.publish("a", ALL)
    story.send(ANN, "1")
    story.send(BOB, "2")

    assert ["1"] == story.own.forget(ANN)
    assert [] == story.own.forget(ANN)
    story.answer("a", 1)
    story.receive(1)
    assert [(BOB, "2")] == story.sent


def test_after_a_loss_everything_follows_and_nothing_is_waited_for(story):
    story.publish("a", ALL)
    story.send(ANN, "1")
    story.send(BOB, "2")
    story.sent += story.own.clear()
    story.send(ANN, "3")

    assert ("13", "2") == (story.texts(), story.texts(BOB))


class Waiting(OwnPublishes):
    """The rule."""


class Overtaking(OwnPublishes):
    """The rule left out: nothing waits."""

    def wait(self, receiver, publish, item):
        return False


class AnswersTrusted(OwnPublishes):
    """The rule, but for whoever takes an answer for the entry."""

    def newest(self, streams):
        publish = super().newest(streams)
        return None if publish is not None and publish.answer.done() else publish


class Wires:
    """A primary and its two connections to a node: answers come on one, entries on the other, each in order.

    Attributes:
        sent: What the member got: the numbers of publishes, and the messages as the numbers of publishes that precede them.

    """

    def __init__(self, own):
        self.own = own
        self.made = 0
        self.position = 0
        self.asked, self.answers, self.entries = deque(), deque(), deque()
        self.sent = []

    def publish(self):
        self.made += 1
        answer = Future()
        self.own.add(DEN, answer)
        self.asked.append((self.made, answer))

    def execute(self):
        if self.asked:
            number, answer = self.asked.popleft()
            self.position += 2
            self.answers.append((answer, self.position))
            self.entries.append((self.position, number))

    def answer(self):
        if self.answers:
            answer, position = self.answers.popleft()
            answer.set_result(Published(position))

    def push(self):
        if self.entries:
            position, number = self.entries.popleft()
            self.release(self.own.receive(position - 1))
            self.sent.append(("entry", number))
            self.release(self.own.receive(position))

    def send(self):
        message = ("message", self.made)
        if not self.own.wait(ANN, self.own.newest(STREAMS[ANN]), message):
            self.sent.append(message)

    def release(self, released):
        self.sent += [message for _, message in released]

    def end(self):
        while self.asked or self.answers or self.entries:
            self.execute()
            self.answer()
            self.push()
        self.release(self.own.receive(self.position))


def overtaken(own, acts):
    """Return whether a message passed an entry that was published before it, after a schedule of acts."""
    wires = Wires(own)
    for act in acts:
        getattr(wires, act)()
    wires.end()
    assert len(wires.sent) == wires.made + acts.count("send")
    seen = 0
    for kind, number in wires.sent:
        if kind == "message" and number > seen:
            return True
        seen = number if kind == "entry" else seen
    return False


ACTS = st.lists(st.sampled_from(["publish", "execute", "answer", "push", "send"]), max_size=30)


@given(ACTS)
def test_in_no_schedule_a_message_passes_what_was_published_before_it(acts):
    assert not overtaken(Waiting(), acts)


@pytest.mark.parametrize(
    ("broken", "acts"),
    [
        (Overtaking, ["publish", "send"]),
        (AnswersTrusted, ["publish", "execute", "answer", "send", "push"]),
    ],
)
def test_without_the_rule_a_schedule_shows_it(broken, acts):
    assert overtaken(broken(), acts)
