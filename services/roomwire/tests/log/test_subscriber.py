"""What a gateway has taken from the log, without any log."""

import pytest
from gateways_of_a_log import DEN, Gateway, sid_stream, text

from roomwire.log.entries import Entry, Push, encode_message
from roomwire.log.sessions import Tenure
from roomwire.log.subscriber import Interrupted, Subscriber


@pytest.fixture
def observer():
    return Gateway(None, None)


@pytest.fixture
def subscriber(observer):
    subscriber = observer.log = Subscriber(observer, max_held_pushes=3, max_held_bytes=1_000)
    subscriber.subscribe(DEN)
    subscriber.attached("e", is_whole=True)
    return subscriber


def push(position, epoch="e", stream=DEN, blob=None):
    return Push(epoch.encode(), position, stream, blob or encode_message(text(position)))


def missed(*positions):
    return [Entry(DEN, position, text(position)) for position in positions]


def test_what_waits_comes_after_what_was_missed_and_each_entry_once(subscriber, observer):
    for position in (3, 4, 6):
        subscriber.receive(push(position))
    subscriber.resume(missed(1, 2, 3, 4), 5)
    subscriber.receive(push(6))
    subscriber.receive(push(7))

    assert ["1", "2", "3", "4", "6", "7"] == observer.texts
    assert (7, 7, 1) == (subscriber.cut, subscriber.known, observer.lives)


def test_what_has_to_be_done_in_order_waits_with_the_pushes_before_it(subscriber, observer):
    subscriber.receive(push(1))
    subscriber.act_in_order(lambda: observer.told.append("done"), size=4)
    subscriber.receive(push(2))
    assert [] == observer.told
    subscriber.resume((), 0)
    subscriber.act_in_order(lambda: observer.told.append("done"), size=4)

    assert [b"1", "done", b"2", "live", "done"] == observer.told


def test_what_has_to_be_done_in_order_is_not_done_once_its_link_is_lost(subscriber, observer):
    subscriber.act_in_order(lambda: observer.told.append("done"), size=4)
    with pytest.raises(Interrupted):
        subscriber.act_in_order(lambda: None, size=1_000)
    subscriber.pause()
    subscriber.resume((), 0)

    assert ["live"] == observer.told


def test_too_much_that_waits_begins_the_link_again(subscriber):
    for position in (1, 2, 3):
        subscriber.receive(push(position))
    with pytest.raises(Interrupted):
        subscriber.receive(push(4))

    subscriber.pause()
    with pytest.raises(Interrupted):
        subscriber.receive(push(1, blob=b"x" * 1_001))


@pytest.mark.parametrize("is_held", [True, False])
def test_a_push_of_another_epoch_interrupts_and_is_not_delivered(subscriber, observer, is_held):
    if is_held:
        subscriber.receive(push(1, "other"))
        with pytest.raises(Interrupted):
            subscriber.resume((), 0)
    else:
        subscriber.resume((), 0)
        with pytest.raises(Interrupted):
            subscriber.receive(push(1, "other"))

    assert [] == observer.texts


def test_while_held_nothing_is_delivered_and_what_waited_goes_with_its_link(subscriber, observer):
    subscriber.resume((), 0)
    subscriber.pause()
    subscriber.receive(push(1))
    subscriber.pause()
    subscriber.resume(missed(2), 2)

    assert (["2"], 1) == (observer.texts, observer.held)


def test_an_entry_that_cannot_be_read_makes_its_stream_incomplete(subscriber, observer):
    subscriber.resume((), 0)
    subscriber.receive(push(1, blob=b"\xff"))

    assert ([DEN], 1) == (observer.incomplete, subscriber.cut)


def test_a_loss_forgets_positions_and_sessions(subscriber, observer):
    subscriber.hold(Tenure("s", 1))
    subscriber.resume((), 9)
    subscriber.attached("f", is_whole=False)

    assert (0, 0, [], 1) == (subscriber.cut, subscriber.known, subscriber.held(), observer.losses)
    assert not subscriber.holds(Tenure("s", 1))


def test_only_an_older_claim_is_fenced(subscriber, observer):
    subscriber.hold(Tenure("s", 2))
    subscriber.fence("s", 2)
    subscriber.fence("other", 9)
    assert [] == observer.fenced

    subscriber.fence("s", 3)
    assert [Tenure("s", 2)] == observer.fenced
    assert not subscriber.is_subscribed(sid_stream("s"))


def test_subscriptions_are_counted(subscriber):
    assert [False, False, True, False] == [
        subscriber.subscribe(DEN),
        subscriber.unsubscribe(DEN),
        subscriber.unsubscribe(DEN),
        subscriber.unsubscribe(DEN),
    ]


def test_a_listener_that_fails_does_not_keep_the_log_from_going_on(subscriber, observer):
    def fail(*_):
        raise RuntimeError("as the test wants it")

    for name in ("on_fenced", "on_incomplete", "on_loss", "on_held", "on_live"):
        setattr(observer, name, fail)
    subscriber.hold(Tenure("s", 1))
    subscriber.fence("s", 2)
    subscriber.resume((), 1)
    subscriber.incomplete([DEN])
    subscriber.pause()
    subscriber.attached("f", is_whole=False)

    assert "f" == subscriber.epoch
