"""Publishes on their way: in order, each once, whatever happens to links."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roomwire.log.outbox import BATCH_BYTES, BATCH_PUBLISHES, MAX_BATCHES_UNDER_WAY, Outbox, Publish
from roomwire.log.streams import room_stream

DEN = room_stream("/", "den")


class Refused(Exception):
    """Nothing was done."""


class TooLate(Exception):
    """Its time was up."""


def publish(results, number=0, deadline=10.0, size=1):
    return Publish(DEN, b"x" * size, b"", deadline, lambda result: results.append((number, result)))


def outbox(**limits):
    return Outbox(
        **{
            "max_publishes": 1_000,
            "max_bytes": 10_000_000,
            "settled": lambda publish, result: publish.waiting(result),
            **limits,
        }
    )


class Flow(RuleBasedStateMachine):
    """An outbox, links that fail, and a primary that takes, refuses or forgets, as the script does."""

    def __init__(self):
        super().__init__()
        self.outbox = outbox()
        self.has_link = True
        self.now = 0.0
        self.added = 0
        self.results = {}
        # The primary: its last number, what it appended; batches that are under way to it, and answers on their way back.
        self.last = 0
        self.log = []
        self.requests = []
        self.replies = []
        self.knows_script = True
        self.has_memory = True

    @rule(number=st.integers(1, 200), patience=st.integers(1, 50))
    def say(self, number, patience):
        for _ in range(number):
            which = self.added
            self.added += 1
            deadline = self.now + 50.0
            self.outbox.add(
                Publish(
                    DEN, str(which).encode(), b"", deadline, lambda one, which=which: self.settle(which, one)
                )
            )

    def settle(self, which, result):
        assert which not in self.results
        self.results[which] = result

    @precondition(lambda self: self.has_link)
    @rule()
    def send(self):
        while (batch := self.outbox.next_batch()) is not None:
            calls = [(one.number, one.blob) for one in batch.publishes]
            self.requests.append((batch.predecessor, calls))

    @precondition(lambda self: self.requests)
    @rule()
    def execute(self):
        predecessor, calls = self.requests.pop(0)
        if not self.knows_script:
            self.replies.append("returned")
        elif not self.has_memory:
            self.replies.append("failed")
        elif self.last < predecessor:
            self.replies.append("returned")
        else:
            results = []
            for number, blob in calls:
                if number <= self.last:
                    results.append(0)
                else:
                    self.last = number
                    self.log.append(int(blob))
                    results.append(len(self.log))
            self.replies.append(results)

    @precondition(lambda self: self.has_link and self.replies)
    @rule()
    def reply(self):
        reply = self.replies.pop(0)
        if reply == "returned":
            self.knows_script = True
            self.outbox.returned()
        elif reply == "failed":
            self.outbox.failed(lambda one: TooLate(True) if one.is_uncertain else Refused())
        else:
            self.outbox.answered(reply)

    @precondition(lambda self: self.has_link)
    @rule(arrive=st.integers(0, 5))
    def lose_link(self, arrive):
        for _ in range(min(arrive, len(self.requests))):
            self.execute()
        self.requests.clear()
        self.replies.clear()
        self.outbox.link_lost()
        self.has_link = False

    @precondition(lambda self: not self.has_link)
    @rule()
    def new_link(self):
        self.has_link = True

    @rule()
    def forget_script(self):
        self.knows_script = False

    @rule(has_memory=st.booleans())
    def memory(self, has_memory):
        self.has_memory = has_memory

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds):
        self.now += seconds
        self.outbox.expire(self.now, lambda one: TooLate(one.is_uncertain))

    @invariant()
    def what_is_appended_is_in_order_and_once(self):
        assert sorted(set(self.log)) == self.log

    @invariant()
    def what_was_acknowledged_was_appended_and_what_was_refused_was_not(self):
        appended = set(self.log)
        for which, result in self.results.items():
            if isinstance(result, int):
                assert which in appended
            elif isinstance(result, Refused) or result.args == (False,):
                assert which not in appended

    @invariant()
    def what_is_not_settled_is_held(self):
        assert self.added - len(self.results) == len(self.outbox)

    def teardown(self):
        self.has_link = self.has_memory = True
        self.outbox.link_lost()
        self.requests.clear()
        self.replies.clear()
        while len(self.outbox):
            self.send()
            self.execute()
            self.reply()
        assert self.added == len(self.results)
        self.what_is_appended_is_in_order_and_once()
        self.what_was_acknowledged_was_appended_and_what_was_refused_was_not()


Flow.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestFlow = Flow.TestCase


def test_batches_are_bounded_by_number_by_size_and_in_how_many_are_under_way():
    box, results = outbox(), []
    for number in range(BATCH_PUBLISHES * (MAX_BATCHES_UNDER_WAY + 1)):
        box.add(publish(results, number))
    batches = [box.next_batch() for _ in range(MAX_BATCHES_UNDER_WAY)]

    assert [BATCH_PUBLISHES] * MAX_BATCHES_UNDER_WAY == [len(batch.publishes) for batch in batches]
    assert [BATCH_PUBLISHES * number for number in range(MAX_BATCHES_UNDER_WAY)] == [
        batch.predecessor for batch in batches
    ]
    assert box.next_batch() is None
    box.answered([1] * BATCH_PUBLISHES)
    assert BATCH_PUBLISHES == len(box.next_batch().publishes)

    box = outbox()
    for _ in range(3):
        box.add(publish(results, size=BATCH_BYTES // 2))
    box.add(publish(results, size=BATCH_BYTES * 2))
    assert [2, 1, 1] == [len(box.next_batch().publishes) for _ in range(3)]


def test_what_is_held_is_bounded_but_one_publish_is_always_taken():
    box = outbox(max_publishes=2, max_bytes=100)

    assert box.has_room(1_000)
    box.add(publish([], size=90))
    assert [True, False] == [box.has_room(10), box.has_room(11)]
    box.add(publish([], size=1))
    assert not box.has_room(1)


def test_what_is_refused_after_its_first_answer_was_lost_may_have_been_done():
    box, results = outbox(), []
    box.add(publish(results, "first"))
    box.next_batch()
    box.link_lost()
    box.add(publish(results, "second"))
    box.next_batch()
    box.failed(lambda one: TooLate(one.is_uncertain))

    assert [("first", True), ("second", False)] == [(which, error.args[0]) for which, error in results]


def test_giving_up_tells_what_may_have_been_done():
    box, results = outbox(), []
    box.add(publish(results, "sent"))
    box.next_batch()
    box.add(publish(results, "waiting"))
    box.give_up(lambda one: TooLate(one.is_uncertain))

    assert [("sent", True), ("waiting", False)] == [(which, error.args[0]) for which, error in results]
    assert 0 == len(box)


@given(st.lists(st.integers(1, 5), max_size=20))
def test_deadlines_are_met_in_order(steps):
    box, results = outbox(), []
    for number in range(20):
        box.add(publish(results, number, deadline=float(number)))
    now = -1
    for step in steps:
        now += step
        box.expire(now, TooLate)
        assert min(max(now + 1, 0), 20) == len(results)
