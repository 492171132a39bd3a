"""What every ordered log promises, tested on each: in memory, on Valkey and on Redis 7."""

import asyncio
from collections import Counter

import msgspec
import pytest
import redis.asyncio
from gateways_of_a_log import ATTIC, DEN, EVERYBODY, QUICK, Gateway, sid_stream, text, world_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import time_passes, until

from roomwire.errors import ConfigurationError, NotFound, RateLimited, TooLarge, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.contract import Fenced, NodeAway, NodeBusy
from roomwire.log.entries import Message
from roomwire.log.guard import MAX_STREAM_BYTES
from roomwire.log.intervals import Interval
from roomwire.log.opening import open_log
from roomwire.log.positions import Epoch, Offset
from roomwire.log.reading import Outcome, Range
from roomwire.log.replay import base_of
from roomwire.log.sessions import (
    Attendance,
    Attendee,
    Claimed,
    ClaimRefused,
    NewSession,
    NodeId,
    Sid,
    Tenure,
    new_pid,
    sid_of,
)
from roomwire.log.streams import room_stream
from roomwire.metrics.gateway import Metrics


@pytest.fixture
async def world(backplane_url):
    async with world_of(backplane_url) as world:
        yield world


async def read(gateway, stream, after, upto, **limits):
    limits = {"max_entries": 10_000, "max_bytes": 10_000_000, **limits}
    (reading,) = await gateway.log.read([Range(stream, after, upto)], **limits)
    return reading.outcome, [entry.message.payload.decode() for entry in reading.entries]


# -- messages


async def test_what_is_published_reaches_all_gateways_that_subscribed_the_publishing_one_included(world):
    first, second, deaf = await world.start(), await world.start(), await world.start()
    for gateway in (first, second):
        await gateway.hear(DEN)
    (published,) = await first.say("hi")

    for gateway in (first, second):
        await gateway.hears("hi")
        assert (DEN, published.position) == (gateway.entries[0].stream, gateway.entries[0].position)
    await deaf.log.mark()
    assert [] == deaf.texts


async def test_publishes_of_a_gateway_are_appended_in_the_order_in_which_they_were_made(world):
    gateway = await world.start()
    await gateway.hear(DEN)
    published = await gateway.say(*range(1_000))
    await gateway.hears(*range(1_000))

    positions = [one.position for one in published]
    assert sorted(set(positions)) == positions


async def test_all_gateways_see_one_order_over_all_streams(world):
    gateways = [await world.start() for _ in range(3)]
    for gateway in gateways:
        for stream in (DEN, ATTIC, EVERYBODY):
            await gateway.hear(stream)
    await asyncio.gather(
        *(
            gateway.log.publish((DEN, ATTIC, EVERYBODY)[number % 3], text(f"{who}.{number}"))
            for number in range(100)
            for who, gateway in enumerate(gateways)
        )
    )
    for gateway in gateways:
        await until(lambda gateway=gateway: len(gateway.entries) == 300)
        assert gateways[0].entries == gateway.entries
        positions = [entry.position for entry in gateway.entries]
        assert sorted(set(positions)) == positions


async def test_a_message_arrives_as_it_was_given(world):
    gateway = await world.start()
    await gateway.hear(EVERYBODY)
    message = Message(bytes(range(256)), skip_sids=("a", "b"), rooms=(DEN, ATTIC, sid_stream("c")))
    narrowed = msgspec.structs.replace(message, except_rooms=(DEN, sid_stream("d")))
    await gateway.log.publish(EVERYBODY, message)
    await gateway.log.publish(EVERYBODY, narrowed)
    await until(lambda: len(gateway.entries) == 2)

    assert [message, narrowed] == [entry.message for entry in gateway.entries]
    assert [message, narrowed] == [one.message for one in await gateway.log.newest(EVERYBODY, limit=2)]


async def test_a_volatile_message_reaches_all_gateways_that_subscribed_and_the_log_does_not_know_it(world):
    first, second, deaf = await world.start(), await world.start(), await world.start()
    for gateway in (first, second):
        await gateway.hear(DEN)
    last = await first.log.mark()
    message = Message(b"here", skip_sids=("a",), except_rooms=(ATTIC,))
    first.log.publish_volatile(DEN, message)
    for gateway in (first, second):
        await until(lambda gateway=gateway: gateway.volatile)
        assert [(DEN, message)] == gateway.volatile
        assert [] == gateway.entries

    assert last == await first.log.mark() == first.log.cut
    assert [] == await first.log.newest(DEN, limit=10)
    await deaf.log.mark()
    assert [] == deaf.volatile


async def test_a_volatile_message_to_a_socket_reaches_the_gateway_that_has_its_session_alone(world):
    first, second = await world.start(), await world.start()
    tenure = await second.session(DEN)
    first.log.publish_volatile(sid_stream("nobody"), Message(b"lost"))
    first.log.publish_volatile(sid_stream(tenure.sid), Message(b"here"))
    await until(lambda: second.volatile)

    assert [(sid_stream(tenure.sid), Message(b"here"))] == second.volatile
    assert [] == first.volatile
    second.log.release(tenure)
    first.log.publish_volatile(sid_stream(tenure.sid), Message(b"to a client that is away"))
    await first.hear(DEN)
    await second.hear(DEN)
    first.log.publish_volatile(DEN, Message(b"after it"))
    await until(lambda: len(second.volatile) == 2)
    assert [Message(b"here"), Message(b"after it")] == [message for _, message in second.volatile]


async def test_volatile_messages_come_in_their_order_and_stop_no_entry(world):
    first, second = await world.start(), await world.start()
    await second.hear(DEN)
    for number in range(50):
        first.log.publish_volatile(DEN, Message(b"%d" % number))
        await first.say(number)
    await second.hears(*range(50))
    await until(lambda: len(second.volatile) == 50)

    assert [b"%d" % number for number in range(50)] == [message.payload for _, message in second.volatile]


async def test_a_volatile_message_of_a_log_that_is_closed_is_dropped_and_counted(world):
    first, second = await world.start(), await world.start()
    await second.hear(DEN)
    await first.log.close()
    first.log.publish_volatile(DEN, Message(b"gone"))

    def dropped():
        return first.metrics.registry.get_sample_value(
            "roomwire_volatile_dropped_total", {"reason": "unpublished"}
        )

    await until(lambda: dropped() == 1)
    await second.log.mark()
    assert [] == second.volatile


async def test_a_message_id_is_taken_once_whoever_sends_it(world):
    first, second = await world.start(), await world.start()
    await first.hear(DEN)
    (once,) = await first.say("a", message_id="ann:1")
    (again,) = await second.say("a", message_id="ann:1")
    (other,) = await second.say("b", message_id="ann:2")
    await first.hears("a", "b")

    assert (once.position, False, True) == (again.position, once.is_repeat, again.is_repeat)
    assert (False, True) == (other.is_repeat, other.position > once.position)


async def test_a_message_id_is_taken_once_within_a_tick_as_well(world):
    gateway = await world.start()
    await gateway.hear(DEN)
    await gateway.say("a", "a", "a", message_id="ann:1")
    await gateway.hears("a")


async def test_a_message_id_is_forgotten_after_its_time(backplane_url):
    async with world_of(backplane_url, msgspec.structs.replace(QUICK, message_id_ttl_s=0.1)) as world:
        gateway = await world.start()
        await gateway.hear(DEN)
        await gateway.say("a", message_id="ann:1")
        await time_passes(0.15)
        await gateway.say("b", message_id="ann:1")
        await gateway.hears("a", "b")


async def test_a_message_id_that_is_too_long_is_refused(world):
    gateway = await world.start()
    with pytest.raises(TooLarge):
        await gateway.say("a", message_id="x" * 257)


async def test_a_room_that_is_left_by_all_is_delivered_no_more(world):
    gateway = await world.start()
    await gateway.hear(DEN)
    await gateway.hear(DEN)
    gateway.log.unsubscribe(DEN)
    await gateway.say("a")
    await gateway.hears("a")
    gateway.log.unsubscribe(DEN)
    await gateway.say("b")
    await gateway.hear(DEN)
    await gateway.say("c")
    await gateway.hears("a", "c")


async def test_a_listener_that_fails_on_an_entry_is_told_that_the_stream_is_incomplete(world):
    gateway = await world.start()
    await gateway.hear(DEN)
    gateway.fails_on = b"b"
    await gateway.say("a", "b", "c")
    await gateway.hears("a", "c")

    assert [DEN] == gateway.incomplete


async def test_a_closed_log_takes_nothing(world):
    gateway = await world.start()
    await gateway.log.close()
    await gateway.log.close()

    assert not gateway.log.is_live
    for call in (gateway.log.check, gateway.log.mark, lambda: gateway.say("a")):
        with pytest.raises(Unavailable):
            await call()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(names=st.lists(st.text(st.characters(exclude_categories=())), min_size=2, max_size=5, unique=True))
async def test_no_two_rooms_are_mistaken_for_each_other(world, names):
    gateway = await world.start()
    streams = [room_stream("/", name) for name in names]
    for stream in streams:
        await gateway.hear(stream)
    for number, stream in enumerate(streams):
        await gateway.say(number, stream=stream)
    await until(lambda: len(gateway.entries) == len(streams))

    assert streams == [entry.stream for entry in gateway.entries]
    await gateway.log.close()


# -- marks


async def test_a_mark_stands_behind_what_was_said_before_and_before_what_is_said_later(world):
    gateway = await world.start()
    await gateway.hear(DEN)
    await gateway.say("a")
    marking = asyncio.ensure_future(gateway.log.mark(then=lambda _: gateway.told.append("mark")))
    mark = await marking
    (later,) = await gateway.say("b")
    await gateway.hears("a", "b")

    assert ["live", b"a", "mark", b"b"] == gateway.told
    assert mark < later.position
    assert gateway.log.cut == later.position
    assert Offset(gateway.log.epoch, later.position) == gateway.log.offset()


async def test_a_mark_never_comes_before_what_it_stands_behind_under_load(world):
    first, second = await world.start(), await world.start()
    await first.hear(DEN)
    said = [second.log.publish(DEN, text(number)) for number in range(2_000)]
    marks = []
    while not said[-1].done():
        await first.log.mark(then=lambda place: marks.append((place, len(first.entries))))
    await until(lambda: len(first.entries) == 2_000)

    for mark, heard in marks:
        assert heard == sum(entry.position <= mark for entry in first.entries)


# -- sessions


async def test_a_member_of_a_room_is_told_what_is_said_after_its_join(world):
    first, second = await world.start(), await world.start()
    tenure = await first.session()
    said = [second.log.publish(DEN, text(number)) for number in range(500)]
    first.log.subscribe(DEN)
    joined = []
    position = await first.log.join(tenure, DEN, then=lambda place: joined.append((place, len(first.told))))
    await asyncio.gather(*said)
    await second.log.mark()
    await first.log.mark()

    ((place, told),) = joined
    assert place == position
    after = [entry for entry in first.entries if entry.position > position]
    assert [entry.message.payload for entry in after] == first.told[told:]


async def test_joining_again_keeps_the_membership_as_it_is(world):
    gateway = await world.start()
    tenure = await gateway.session()
    once = await gateway.log.join(tenure, DEN)
    await gateway.say("a")

    assert once == await gateway.log.join(tenure, DEN)


async def test_a_claim_tells_where_the_session_has_been_and_what_it_kept(world):
    first, second = await world.start(), await world.start()
    tenure = await first.session(subject="ann", data=b"old")
    joined = await first.log.join(tenure, DEN)
    left = await first.log.leave(tenure, DEN)
    again = await first.log.join(tenure, DEN)
    await first.log.save(tenure, b"\x00new")
    claimed = await second.log.claim(tenure.sid, namespace="/", subject="ann")

    assert isinstance(claimed, Claimed)
    assert Tenure(tenure.sid, 2) == claimed.tenure
    assert {DEN: (Interval(joined, left), Interval(again, None))} == dict(claimed.rooms)
    assert (b"\x00new", 0) == (claimed.data, claimed.known)
    assert claimed.start < joined < left < again < claimed.position <= second.log.cut
    assert {} == {epoch: end for epoch, end in claimed.ends.items() if epoch == first.log.epoch}


async def test_whoever_held_a_claimed_session_is_fenced(world):
    first, second = await world.start(), await world.start()
    tenure = await first.session(DEN)
    await second.log.claim(tenure.sid, namespace="/", subject="")
    await until(lambda: first.fenced)
    for call in (
        lambda: first.log.join(tenure, ATTIC),
        lambda: first.log.leave(tenure, DEN),
        lambda: first.log.save(tenure, b""),
    ):
        with pytest.raises(Fenced):
            await call()

    assert [tenure] == first.fenced
    assert not await first.log.end(tenure.sid, tenure.claim)
    assert await second.log.find(tenure.sid) is not None


async def test_an_older_socket_of_the_same_node_is_fenced_at_once(world):
    gateway = await world.start()
    tenure = await gateway.session()
    claimed = await gateway.log.claim(tenure.sid, namespace="/", subject="")

    assert [tenure] == gateway.fenced
    gateway.log.release(tenure)
    await gateway.log.publish(sid_stream(tenure.sid), text("to the new one"))
    await gateway.hears("to the new one")
    assert 2 == claimed.tenure.claim


async def test_a_session_of_another_subject_or_namespace_cannot_be_claimed(world):
    gateway = await world.start()
    tenure = await gateway.session(subject="ann")

    for namespace, subject in (("/", "bob"), ("/other", "ann"), ("/", "")):
        assert ClaimRefused.GONE == await gateway.log.claim(tenure.sid, namespace=namespace, subject=subject)
    assert ClaimRefused.GONE == await gateway.log.claim(sid_of(new_pid()), namespace="/", subject="")
    assert [] == gateway.fenced


async def test_a_session_that_was_claimed_too_often_at_whatever_gateways_stays_where_it_is(backplane_url):
    config = msgspec.structs.replace(QUICK, max_claims=3, claims_window_s=1.0)
    async with world_of(backplane_url, config) as world:
        first, second = await world.start(), await world.start()
        tenure, other = await first.session(), await first.session()

        async def claim(gateway, sid=tenure.sid):
            return await gateway.log.claim(sid, namespace="/", subject="")

        for gateway in (second, first, second):
            last = await claim(gateway)
        owner = await first.log.find(tenure.sid)

        assert [ClaimRefused.DUEL] * 2 == [await claim(first), await claim(second)]
        assert owner == await first.log.find(tenure.sid)
        assert await second.log.join(last.tenure, DEN)
        assert isinstance(await claim(first, other.sid), Claimed)
        await time_passes(1.0)
        assert 5 == (await claim(first)).tenure.claim


async def test_epochs_are_ordered_by_when_they_began(backplane_url):
    epochs = []
    for _ in range(3):
        async with world_of(backplane_url) as world:
            epochs.append((await world.start()).log.epoch)
        if backplane_url != "memory://":
            async with redis.asyncio.from_url(backplane_url) as admin:
                await admin.flushall()
        await time_passes(0.002)

    assert sorted(set(epochs)) == epochs


async def test_an_offset_of_an_epoch_before_the_sessions_first_counts_as_none_and_a_later_unknown_one_is_refused(
    world,
):
    gateway = await world.start()
    tenure = await gateway.session()
    claimed = await gateway.log.claim(tenure.sid, namespace="/", subject="")
    epoch = gateway.log.epoch
    assert epoch == claimed.born

    assert claimed.start == base_of(f"{'0' * len(epoch)}.{claimed.start + 1}", claimed, epoch)
    assert claimed.start + 1 == base_of(f"{epoch}.{claimed.start + 1}", claimed, epoch)
    assert base_of(f"{'f' * len(epoch)}.{claimed.start + 1}", claimed, epoch) is None


async def test_a_session_dies_without_receipts_and_lives_with_them(backplane_url):
    async with world_of(backplane_url, msgspec.structs.replace(QUICK, session_ttl_s=0.6)) as world:
        gateway = await world.start()
        silent, lively = await gateway.session(), await gateway.session()

        async def the_silent_one_is_gone():
            gateway.log.receipt(lively, gateway.log.offset())
            return await gateway.log.find(silent.sid) is None

        await until(the_silent_one_is_gone)
        await gateway.receipts_arrive()
        assert isinstance(await gateway.log.claim(lively.sid, namespace="/", subject=""), Claimed)


async def test_a_claim_does_not_extend_a_sessions_life(backplane_url):
    async with world_of(
        backplane_url, msgspec.structs.replace(QUICK, session_ttl_s=0.6, max_claims=1_000)
    ) as world:
        gateway = await world.start()
        tenure = await gateway.session()
        assert isinstance(await gateway.log.claim(tenure.sid, namespace="/", subject=""), Claimed)

        async def is_gone():
            await time_passes(0.1)
            return ClaimRefused.GONE == await gateway.log.claim(tenure.sid, namespace="/", subject="")

        await until(is_gone)


async def test_a_receipt_raises_what_is_known_and_closed_intervals_go_then(world):
    gateway = await world.start()
    tenure = await gateway.session()
    await gateway.log.join(tenure, DEN)
    left = await gateway.log.leave(tenure, DEN)
    received = gateway.log.offset()
    gateway.log.receipt(tenure, received)
    await gateway.receipts_arrive()
    again = await gateway.log.join(tenure, DEN)
    gateway.log.receipt(tenure, Offset(Epoch(gateway.log.epoch), 1))
    await gateway.receipts_arrive()
    claimed = await gateway.log.claim(tenure.sid, namespace="/", subject="")

    assert left <= received.position == claimed.known
    assert {DEN: (Interval(again, None),)} == dict(claimed.rooms)


async def test_a_receipt_never_brings_a_session_back(world):
    gateway = await world.start()
    tenure = await gateway.session()
    await gateway.log.end(tenure.sid)
    gateway.fenced.clear()
    gateway.log.receipt(tenure, gateway.log.offset())
    await gateway.receipts_arrive()

    assert await gateway.log.find(tenure.sid) is None


async def test_a_room_cannot_be_joined_and_left_without_bound(world):
    gateway = await world.start()
    tenure = await gateway.session()
    for _ in range(QUICK.max_intervals):
        await gateway.log.join(tenure, DEN)
        await gateway.log.leave(tenure, DEN)
    with pytest.raises(RateLimited):
        await gateway.log.join(tenure, DEN)


async def test_leaving_a_room_one_is_not_in_is_harmless(world):
    gateway = await world.start()
    tenure = await gateway.session()
    await gateway.log.leave(tenure, DEN)

    claimed = await gateway.log.claim(tenure.sid, namespace="/", subject="")
    assert {} == dict(claimed.rooms)


async def test_the_end_of_a_session_fences_its_socket_wherever_it_is(world):
    first, second = await world.start(), await world.start()
    here, there = await first.session(), await first.session()
    assert await first.log.end(here.sid)
    assert await second.log.end(there.sid)
    await until(lambda: len(first.fenced) == 2)

    assert [here, there] == first.fenced
    assert not await second.log.end(there.sid)
    assert ClaimRefused.GONE == await second.log.claim(there.sid, namespace="/", subject="")


async def test_who_is_in_a_room_is_known_with_what_is_told_of_it_and_where_it_is(world):
    first, second = await world.start("n"), await world.start("m")
    opened = []
    for gateway in (first, second):
        new = NewSession(sid_of(new_pid()), "/", "ann", b"data", gateway.log.node.encode())
        opened.append(await gateway.log.open(new))
    for gateway, tenure in zip((first, second), opened, strict=True):
        await gateway.log.join(tenure, DEN)
        await gateway.log.join(tenure, DEN)
    await second.log.join(opened[1], ATTIC)
    await second.log.save(opened[1], b"other")

    den = await first.log.present(DEN, limit=10)
    attic = await first.log.present(ATTIC, limit=10)
    a, b = (
        Attendee(tenure.sid, gateway.log.node, "ann", gateway.log.node.encode(), data)
        for tenure, gateway, data in zip(opened, (first, second), (b"data", b"other"), strict=True)
    )
    assert (2, {a.sid: a, b.sid: b}) == (den.total, {one.sid: one for one in den.attendees})
    assert Attendance(1, [b]) == attic
    assert Attendance(0, []) == await first.log.present(room_stream("/other", "den"), limit=10)


async def test_who_left_or_ended_is_in_a_room_no_more_and_who_is_away_still_is(world):
    first, second = await world.start("n"), await world.start("m")
    left, ended, kicked, away = [await first.session(DEN) for _ in range(4)]
    await first.log.leave(left, DEN)
    first.log.release(ended)
    await first.log.end(ended.sid, ended.claim)
    await second.log.end(kicked.sid)
    first.log.release(away)
    await first.log.close()

    assert [(away.sid, first.log.node)] == [
        (one.sid, one.node) for one in (await second.log.present(DEN, limit=10)).attendees
    ]
    await second.log.claim(away.sid, namespace="/", subject="")
    assert [second.log.node] == [one.node for one in (await second.log.present(DEN, limit=10)).attendees]


async def test_who_expired_is_in_a_room_no_more(backplane_url):
    async with world_of(backplane_url, msgspec.structs.replace(QUICK, session_ttl_s=0.6)) as world:
        gateway = await world.start()
        await gateway.session(DEN)

        async def nobody_is_there():
            return 0 == (await gateway.log.present(DEN, limit=10)).total

        await until(nobody_is_there)


async def test_no_more_of_a_room_is_read_than_is_asked_for_and_all_are_counted(world):
    gateway = await world.start()
    for _ in range(5):
        await gateway.session(DEN, data=b"x" * 100)
    found = [
        await gateway.log.present(DEN, limit=3),
        await gateway.log.present(DEN, limit=10, max_bytes=250),
        await gateway.log.present(DEN, limit=10),
        await gateway.log.present(DEN, limit=10, max_bytes=0),
    ]
    assert [(5, 3), (5, 2), (5, 5), (5, 5)] == [(one.total, len(one.attendees)) for one in found]
    assert {b""} == {one.data for one in found[-1].attendees}


async def test_a_session_is_found_where_it_is(world):
    first, second = await world.start("a"), await world.start("b")
    tenure = await first.session(subject="änn", namespace="/ü")
    owner = await second.log.find(tenure.sid)

    assert (first.log.node, "/ü", "änn") == (owner.node, owner.namespace, owner.subject)
    assert await second.log.find(Sid("nobody")) is None


async def test_what_a_client_has_confirmed_is_found_with_its_session(world):
    first, second = await world.start("a"), await world.start("b")
    tenure = await first.session()
    await first.log.publish(sid_stream(tenure.sid), text("a"))
    await first.hears("a")
    assert 0 == (await second.log.find(tenure.sid)).known

    received = first.log.offset()
    first.log.receipt(tenure, received)
    await first.receipts_arrive()

    assert received.position == (await second.log.find(tenure.sid)).known


# -- messages to one socket


async def test_what_is_said_to_a_socket_reaches_the_node_that_holds_it(world):
    first, second = await world.start(), await world.start()
    tenure = await first.session()
    await second.log.publish(sid_stream(tenure.sid), text("a"))
    await first.hears("a")
    await second.log.claim(tenure.sid, namespace="/", subject="")
    await first.log.publish(sid_stream(tenure.sid), text("b"))
    await second.hears("b")
    await first.log.mark()

    assert ["a"] == first.texts
    assert (Outcome.COMPLETE, ["a", "b"]) == await read(first, sid_stream(tenure.sid), 0, second.log.cut)


async def test_what_is_said_to_a_socket_without_a_session_is_not_appended(world):
    gateway = await world.start()
    tenure = await gateway.session()
    await gateway.log.end(tenure.sid)
    for sid in (tenure.sid, "nobody"):
        with pytest.raises(NotFound):
            await gateway.say("a", stream=sid_stream(sid))
        assert [] == await gateway.log.newest(sid_stream(sid), limit=10)


async def test_what_is_said_to_a_socket_that_is_away_waits_for_it(world):
    gateway = await world.start()
    tenure = await gateway.session()
    gateway.log.release(tenure)
    await gateway.say("a", stream=sid_stream(tenure.sid))
    await gateway.log.mark()

    assert [] == gateway.texts
    assert (Outcome.COMPLETE, ["a"]) == await read(gateway, sid_stream(tenure.sid), 0, gateway.log.cut)


async def test_of_what_is_said_to_a_client_that_cannot_be_recovered_nothing_is_stored(world):
    gateway = await world.start()
    tenure = await gateway.log.open(NewSession(sid_of(new_pid()), "/", is_recoverable=False))
    own = sid_stream(tenure.sid)
    first, last = await gateway.say("a", "b", stream=own)
    await gateway.hears("a", "b")
    await gateway.log.mark()

    assert [] == await gateway.log.newest(own, limit=10)
    # It is known that there was something.
    assert (Outcome.TRIMMED, []) == await read(gateway, own, first.position, gateway.log.cut)
    assert (Outcome.COMPLETE, []) == await read(gateway, own, last.position, gateway.log.cut)


async def test_what_is_said_to_all_is_stored_whoever_is_there(world):
    gateway = await world.start()
    await gateway.log.open(NewSession(sid_of(new_pid()), "/", is_recoverable=False))
    await gateway.say("a", stream=EVERYBODY)
    await gateway.log.mark()

    assert (Outcome.COMPLETE, ["a"]) == await read(gateway, EVERYBODY, 0, gateway.log.cut)


# -- history


async def test_a_range_holds_what_was_said_after_its_beginning_up_to_its_end(world):
    gateway = await world.start()
    published = await gateway.say(*range(10))
    places = [one.position for one in published]

    assert (Outcome.COMPLETE, ["3", "4", "5"]) == await read(gateway, DEN, places[2], places[5])
    assert (Outcome.COMPLETE, []) == await read(gateway, DEN, places[9], places[9] + 5)
    assert (Outcome.COMPLETE, []) == await read(gateway, DEN, places[5], places[5])
    assert (Outcome.COMPLETE, []) == await read(gateway, ATTIC, 0, places[9])


async def test_a_range_of_many_pages_is_read_in_full(world):
    gateway = await world.start()
    published = await gateway.say(*range(500))
    outcome, texts = await read(gateway, DEN, published[99].position, published[-1].position)

    assert (Outcome.COMPLETE, [str(number) for number in range(100, 500)]) == (outcome, texts)


async def test_a_range_of_large_messages_is_read_in_full(world):
    gateway = await world.start()
    large = ["x" * size for size in (1, 70_000, 200_000, 1, 300_000, 40_000, 40_000, 1)]
    published = await gateway.say(*large)

    assert (Outcome.COMPLETE, large) == await read(gateway, DEN, 0, published[-1].position)


async def test_more_than_the_reader_wants_is_not_read(world):
    gateway = await world.start()
    await gateway.say(*range(100))
    await gateway.log.mark()

    assert (Outcome.TOO_MUCH, []) == await read(gateway, DEN, 0, gateway.log.cut, max_entries=99)
    assert (Outcome.TOO_MUCH, []) == await read(gateway, DEN, 0, gateway.log.cut, max_bytes=150)


async def test_many_ranges_are_read_at_once(world):
    gateway = await world.start()
    streams = [room_stream("/", str(number)) for number in range(40)]
    for number, stream in enumerate(streams):
        await gateway.say(number, stream=stream)
    mark = await gateway.log.mark()
    ranges = [Range(stream, 0, mark) for stream in [*streams, DEN]]
    readings = await gateway.log.read(ranges, max_entries=10, max_bytes=1_000)

    assert ranges == [reading.range for reading in readings]
    assert [[str(number)] for number in range(40)] + [[]] == [
        [entry.message.payload.decode() for entry in reading.entries] for reading in readings
    ]


async def test_a_stream_that_was_trimmed_is_complete_only_from_what_it_still_holds(backplane_url):
    async with world_of(backplane_url, msgspec.structs.replace(QUICK, max_stream_entries=100)) as world:
        gateway = await world.start()
        places = [one.position for one in await gateway.say(*range(500))]

        assert (Outcome.TRIMMED, []) == await read(gateway, DEN, 0, places[-1])
        assert (Outcome.TRIMMED, []) == await read(gateway, DEN, places[100], places[-1])
        assert (Outcome.COMPLETE, ["490"]) == await read(gateway, DEN, places[489], places[490])


async def test_what_is_sent_to_one_client_has_a_bound_of_its_own(backplane_url):
    config = msgspec.structs.replace(QUICK, max_stream_entries=100, max_sid_entries=400)
    async with world_of(backplane_url, config) as world:
        gateway = await world.start()
        tenure = await gateway.session()
        own = sid_stream(tenure.sid)
        for stream, bound in ((DEN, 100), (own, 400)):
            places = [await gateway.log.publish(stream, Message(b"x")) for _ in range(bound)]
            outcome, _ = await read(gateway, stream, places[0].position, places[-1].position)
            assert Outcome.COMPLETE == outcome
            for _ in range(bound):
                await gateway.log.publish(stream, Message(b"x"))
            assert len(await gateway.log.newest(stream, limit=10_000)) < 2 * bound


async def test_history_is_bounded(backplane_url):
    async with world_of(backplane_url, msgspec.structs.replace(QUICK, max_stream_entries=100)) as world:
        gateway = await world.start()
        await gateway.say(*range(1_000))
        newest = await gateway.log.newest(DEN, limit=10_000)

        assert 100 <= len(newest) <= 200
        assert b"999" == newest[-1].message.payload


@pytest.mark.parametrize("size", [100_000, 700_000, 3_000_000])
async def test_a_stream_is_bounded_in_bytes_and_keeps_its_newest_entry(world, size):
    gateway = await world.start()
    tenure = await gateway.session()
    for stream in (DEN, sid_stream(tenure.sid)):
        places = [await gateway.log.publish(stream, Message(b"x" * size)) for _ in range(40)]
        stored = await gateway.log.newest(stream, limit=1_000)

        assert places[-1].position == stored[-1].position
        assert len(stored) <= max(1, MAX_STREAM_BYTES // size)


async def test_the_newest_entries_come_oldest_first(world):
    gateway = await world.start()
    await gateway.say(*range(10))

    assert [b"7", b"8", b"9"] == [e.message.payload for e in await gateway.log.newest(DEN, limit=3)]
    assert [] == list(await gateway.log.newest(ATTIC, limit=3))


async def test_what_is_delivered_and_what_is_read_are_the_same(world):
    gateway = await world.start()
    await gateway.hear(DEN)
    await gateway.say(*range(100))
    await until(lambda: len(gateway.entries) == 100)
    (reading,) = await gateway.log.read(
        [Range(DEN, 0, gateway.log.cut)], max_entries=1_000, max_bytes=1_000_000
    )

    assert gateway.entries == list(reading.entries)


# -- nodes


async def test_the_registry_knows_the_live_nodes_and_their_addresses(world):
    first, second = await world.start("a", address="10.0.0.1:7000"), await world.start("b")
    expected = {"a": (first.log.node, "10.0.0.1:7000"), "b": (second.log.node, "")}
    assert expected == dict(await first.log.nodes())

    await first.log.close()
    assert {"b"} == set(await second.log.nodes())


async def test_a_request_is_answered_by_the_node_that_is_asked(world):
    first, second = await world.start(), await world.start()
    answers = await asyncio.gather(
        *(first.log.request(second.log.node, f"{number} x".encode(), timeout_s=5) for number in range(50))
    )

    assert [f"{number} x"[::-1].encode() for number in range(50)] == answers
    assert {first.log.node: 50} == Counter(sender for sender, _ in second.requests)
    assert b"ba" == await first.log.request(first.log.node, b"ab", timeout_s=5)


async def test_a_request_follows_what_the_asking_node_published_before(world):
    first, second = await world.start(), await world.start()
    await second.hear(DEN)
    publishing = []
    for number in range(50):
        # Neither is awaited before the node is asked.
        publishing += [first.log.publish(DEN, text(f"{number} {one}")) for one in "ab"]
        await first.log.request(second.log.node, b"x", timeout_s=5)
    await asyncio.gather(*publishing)

    assert [*range(2, 102, 2)] == second.entries_at_requests


async def test_all_nodes_can_be_asked_at_once(world):
    gateways = [await world.start(name) for name in "abc"]
    answers = await gateways[0].log.request_all(b"ab", timeout_s=5)

    assert {gateway.log.node: b"ba" for gateway in gateways} == dict(answers)


async def test_a_request_that_is_not_answered_fails_in_time(world):
    first, second = await world.start(), await world.start()
    for node, body in (
        (NodeId("nobody.1"), b"x"),
        (second.log.node, b"fail"),
        (second.log.node, b"sleep"),
    ):
        async with asyncio.timeout(2):
            with pytest.raises(NodeAway):
                await first.log.request(node, body, timeout_s=0.3)


async def test_a_node_that_has_too_much_to_do_says_so_in_a_way_that_earlier_versions_take_for_a_failure(
    world,
):
    first, second = await world.start(), await world.start()
    told, dispatch = [], first.log._requests.dispatch
    first.log._requests.dispatch = lambda message: (
        told.append(message),
        dispatch(message),
    )
    with pytest.raises(NodeBusy):
        await first.log.request(second.log.node, b"too much", timeout_s=5)
    # To what follows the 0 they do not look.
    assert [b"a1 0 rate_limited"] == told


async def test_a_started_log_works_at_once(world):
    gateway = await world.start()
    await gateway.log.check()
    await gateway.log.start(gateway)

    assert gateway.log.is_live
    assert (["live"], 1) == (
        gateway.told,
        gateway.metrics.registry.get_sample_value("roomwire_backplane_up"),
    )


async def test_a_url_opens_the_log_it_stands_for(backplane_url):
    log = open_log(backplane_url, node="n", address="a:1", config=QUICK, metrics=Metrics())
    gateway = Gateway(log, Metrics())
    await log.start(gateway)
    await gateway.hear(DEN)
    await gateway.say("hi")
    await gateway.hears("hi")

    assert {"n": (log.node, "a:1")} == dict(await log.nodes())
    await log.close()


def test_streams_that_die_too_early_are_refused():
    LogConfig(room_ttl_s=LogConfig().least_room_ttl_s).check()
    with pytest.raises(ConfigurationError):
        LogConfig(room_ttl_s=LogConfig().least_room_ttl_s - 1).check()
