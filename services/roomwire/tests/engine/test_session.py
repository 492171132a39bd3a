"""The rules of an Engine.IO session: each by itself, then all of them under a machine that tries everything."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roomwire.engine.session import POLLING, WEBSOCKET, Reason, Session
from roomwire.limits.accounts import FIRST_MARK, Accounts
from roomwire.limits.client import Limits
from roomwire.protocol.frames import message_of
from roomwire.protocol.packets import (
    CLOSE,
    MESSAGE,
    NOOP,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    BadEnginePacket,
    framed,
)

LIMITS = Limits(ping_interval_s=25.0, ping_timeout_s=20.0, max_unread_bytes=102)
TRANSPORTS = [POLLING, WEBSOCKET]


def session(transport: str = WEBSOCKET, limits: Limits = LIMITS) -> Session:
    return Session("sid", transport=transport, limits=limits, now=0.0)


def said(found: Session) -> list[str | bytes]:
    """Return what is to be written, without its frames."""
    return [message_of(frame) for frame in found.output()]


def polled(*packets: str | bytes) -> Session:
    """Return a session whose poll is pending, with packets to answer it."""
    found = session(POLLING)
    assert found.poll()
    for packet in packets:
        found.send(packet)
    return found


def closed(reason: Reason = Reason.SERVER, transport: str = WEBSOCKET) -> Session:
    found = session(transport)
    found.close(reason)
    return found


class TestSending:
    @pytest.mark.parametrize("transport", TRANSPORTS)
    def test_packets_come_out_once_and_in_order(self, transport):
        found = session(transport)
        for packet in ["4a", b"b", "4c"]:
            found.send(packet)
        assert ["4a", b"b", "4c"] == said(found)
        found.send("4d")
        assert ["4d"] == said(found)

    def test_nothing_to_say_over_websocket_is_nothing(self):
        assert [] == said(session())

    def test_what_a_client_may_leave_unread_is_left(self):
        found = session()
        found.send("4" + "x" * (LIMITS.max_unread_bytes - len(framed("4")) - len(framed(b"x"))))
        found.send(b"x")
        assert found.closed is None
        assert 2 == len(found.output())

    def test_what_was_put_out_by_others_is_counted_when_it_is_settled(self):
        found = session()
        found.outbox.extend([b"x" * LIMITS.max_unread_bytes, b"x"])
        found.settle()
        assert LIMITS.max_unread_bytes + 1 == found.unread_bytes

    def test_what_has_been_counted_is_not_counted_again(self):
        found = session()
        found.outbox.append(b"x" * LIMITS.max_unread_bytes)
        found.settle()
        found.settle()
        assert LIMITS.max_unread_bytes == found.unread_bytes

    def test_whatever_is_sent_below_the_first_mark_is_let_through_however_large_it_is(self):
        found = session()
        found.send("4" + "x" * FIRST_MARK * LIMITS.max_unread_bytes)
        assert found.closed is None
        assert 1 == len(said(found))

    def test_beyond_the_first_mark_one_byte_more_ends_it_and_nothing_of_it_is_kept(self):
        found = session()
        found.send("4" + "x" * FIRST_MARK * LIMITS.max_unread_bytes)
        found.send(b"x")
        assert Reason.SLOW == found.closed
        assert [] == said(found)

    @pytest.mark.parametrize("size", [LIMITS.max_unread_bytes, LIMITS.max_unread_bytes + 1])
    def test_while_memory_is_short_more_than_the_limit_ends_it(self, size):
        accounts = Accounts()
        account = accounts.open("sid", print)
        found = Session("sid", transport=WEBSOCKET, limits=LIMITS, now=0.0, account=account)
        accounts.is_refusing = True
        found.outbox.append(b"x" * size)
        found.settle()
        assert (Reason.SLOW if size > LIMITS.max_unread_bytes else None) == found.closed

    def test_its_output_is_taken_once_more_each_time(self):
        found = polled("4a")
        said(found)
        assert 1 == found.outputs

    def test_what_has_been_read_no_longer_counts(self):
        found = session()
        for _ in range(10):
            found.send("4" + "x" * 99)
            said(found)
        assert found.closed is None

    def test_after_the_end_nothing_is_sent(self):
        found = closed()
        found.send("4late")
        assert [] == said(found)


class TestReceiving:
    @pytest.mark.parametrize(
        ("packet", "message"),
        [
            pytest.param("4hello", "hello", id="text"),
            pytest.param("4", "", id="empty text"),
            pytest.param("42probe", "2probe", id="text that looks like a packet"),
            pytest.param(b"\x00", b"\x00", id="binary"),
            pytest.param(b"", b"", id="empty binary"),
            pytest.param(b"1", b"1", id="binary that looks like a packet"),
        ],
    )
    def test_a_message_comes_out_as_it_is(self, packet, message):
        found = session()
        assert message == found.receive(packet)
        assert found.closed is None

    @pytest.mark.parametrize(
        "packet",
        ["", "0", "0{}", "2", "2probe", "3probe", "3x", "1x", "5", "6", "7", "abc", "\u0664x", " 4x"],
    )
    def test_what_a_client_may_not_send_is_refused(self, packet):
        with pytest.raises(BadEnginePacket):
            session().receive(packet)

    def test_the_refusal_quotes_the_beginning_only(self):
        with pytest.raises(BadEnginePacket) as refused:
            session().receive("x" * 1_000_000)
        assert 100 > len(str(refused.value))

    def test_a_close_packet_ends_it(self):
        found = session()
        assert found.receive(CLOSE) is None
        assert Reason.CLIENT == found.closed

    @pytest.mark.parametrize("packet", ["4hello", b"hello", PONG, CLOSE, "abc", ""])
    def test_after_the_end_no_packet_counts(self, packet):
        found = closed()
        deadline = found.deadline
        assert found.receive(packet) is None
        assert (Reason.SERVER, deadline) == (found.closed, found.deadline)


class TestPolling:
    def test_a_poll_waits_until_there_is_something_to_say(self):
        found = polled()
        assert not found.has_answer
        found.send("4a")
        assert found.has_answer
        assert ["4a"] == said(found)
        assert not found.has_answer
        assert not found.is_polled

    def test_what_waits_answers_the_next_poll(self):
        found = session(POLLING)
        found.send("4a")
        assert not found.has_answer
        assert found.poll()
        assert found.has_answer

    def test_a_second_poll_ends_the_session(self):
        found = polled()
        assert not found.poll()
        assert Reason.TRANSPORT_ERROR == found.closed

    @pytest.mark.parametrize(
        ("reason", "answer"),
        [
            pytest.param(Reason.CLIENT, NOOP, id="the client knows already"),
            pytest.param(Reason.SERVER, CLOSE, id="server"),
            pytest.param(Reason.PING_TIMEOUT, CLOSE, id="ping timeout"),
            pytest.param(Reason.TRANSPORT_ERROR, CLOSE, id="transport error"),
            pytest.param(Reason.SLOW, CLOSE, id="slow"),
        ],
    )
    def test_the_end_answers_the_pending_poll(self, reason, answer):
        found = polled()
        found.close(reason)
        assert found.has_answer
        assert [answer] == said(found)
        assert not found.has_answer

    def test_what_was_to_be_said_before_the_end_is_said(self):
        found = polled("4a")
        found.close(Reason.SERVER)
        assert ["4a"] == said(found)

    def test_a_poll_that_was_cancelled_ends_the_session_and_is_not_answered(self):
        found = polled()
        found.cancel_poll()
        assert Reason.TRANSPORT_CLOSE == found.closed
        assert not found.has_answer


class TestUpgrade:
    def test_the_probe_is_answered_and_ends_the_pending_poll(self):
        found = polled()
        assert PONG + PROBE == found.start_probe(PING + PROBE)
        assert found.has_answer
        assert [NOOP] == said(found)

    def test_while_it_is_probed_two_polls_are_answered_at_once_and_others_when_they_have_waited(self):
        found = polled()
        found.start_probe(PING + PROBE)
        for _ in range(2):
            assert found.has_answer
            assert [NOOP] == said(found)
            assert found.poll()
        for _ in range(3):
            assert not found.has_answer
            found.end_poll()
            assert found.has_answer
            assert [NOOP] == said(found)
            assert found.poll()

    def test_while_it_is_probed_what_there_is_to_say_answers_a_poll_at_once(self):
        found = polled()
        found.start_probe(PING + PROBE)
        for number in range(5):
            found.send(f"4{number}")
            assert found.has_answer
            assert [f"4{number}"] == said(found)
            assert found.poll()

    def test_a_poll_that_waits_for_the_end_of_a_probe_waits_on_when_it_is_abandoned(self):
        found = polled()
        found.start_probe(PING + PROBE)
        found.abandon_probe()
        found.end_poll()
        assert not found.has_answer

    def test_after_the_upgrade_no_poll_is_pending(self):
        found = polled()
        found.start_probe(PING + PROBE)
        found.finish_probe(UPGRADE)
        assert not found.is_polled

    def test_what_waits_goes_over_the_websocket_after_the_upgrade(self):
        found = session(POLLING)
        found.start_probe(PING + PROBE)
        found.send("4a")
        found.finish_probe(UPGRADE)
        assert (WEBSOCKET, False) == (found.transport, found.is_probed)
        assert ["4a"] == said(found)
        assert [] == said(found)

    def test_an_abandoned_probe_leaves_polling_as_it_was(self):
        found = session(POLLING)
        found.start_probe(PING + PROBE)
        found.abandon_probe()
        assert found.poll()
        assert not found.has_answer
        assert POLLING == found.transport
        assert PONG + PROBE == found.start_probe(PING + PROBE)

    @pytest.mark.parametrize("packet", ["", "2", "3probe", "2probe ", "5", "4x", b"2probe"])
    def test_what_is_no_probe_is_refused_without_ending_the_session(self, packet):
        found = session(POLLING)
        with pytest.raises(BadEnginePacket):
            found.start_probe(packet)
        assert (None, False) == (found.closed, found.is_probed)

    @pytest.mark.parametrize("packet", ["", "2probe", "5 ", "4x", b"5"])
    def test_what_is_no_upgrade_is_refused_without_ending_the_session(self, packet):
        found = session(POLLING)
        found.start_probe(PING + PROBE)
        with pytest.raises(BadEnginePacket):
            found.finish_probe(packet)
        assert (None, POLLING) == (found.closed, found.transport)

    @pytest.mark.parametrize("transport", TRANSPORTS)
    def test_without_a_probe_there_is_no_upgrade(self, transport):
        with pytest.raises(BadEnginePacket):
            session(transport).finish_probe(UPGRADE)

    def test_a_websocket_is_not_probed(self):
        with pytest.raises(BadEnginePacket):
            session(WEBSOCKET).start_probe(PING + PROBE)

    def test_a_second_probe_beside_the_first_is_refused(self):
        found = session(POLLING)
        found.start_probe(PING + PROBE)
        with pytest.raises(BadEnginePacket):
            found.start_probe(PING + PROBE)
        found.finish_probe(UPGRADE)
        assert WEBSOCKET == found.transport

    def test_after_the_end_there_is_neither_probe_nor_upgrade(self):
        found = session(POLLING)
        found.start_probe(PING + PROBE)
        found.close(Reason.SERVER)
        with pytest.raises(BadEnginePacket):
            found.finish_probe(UPGRADE)
        with pytest.raises(BadEnginePacket):
            closed(transport=POLLING).start_probe(PING + PROBE)


class TestHeartbeat:
    def test_a_tick_before_the_deadline_does_nothing(self):
        found = session()
        assert 25.0 == found.tick(24.999)
        assert [] == said(found)

    def test_it_pings_after_an_interval_and_waits_for_the_timeout(self):
        found = session()
        found.tick(25.0)
        assert [PING] == said(found)
        assert 45.0 == found.tick(44.999)
        assert ([], None) == (said(found), found.closed)
        assert found.tick(45.0) is None
        assert Reason.PING_TIMEOUT == found.closed

    def test_what_a_timer_is_late_does_not_put_off_the_timeout(self):
        found = session()
        assert 45.0 == found.tick(25.02)
        found.tick(45.0)
        assert Reason.PING_TIMEOUT == found.closed

    def test_what_a_timer_is_late_does_not_put_off_later_pings(self):
        found = session()
        found.tick(25.02)
        found.receive(PONG)
        found.tick(45.02)
        assert 70.0 == found.tick(50.02)
        assert [PING, PING] == said(found)

    def test_a_process_that_stood_still_gives_its_clients_the_whole_timeout(self):
        found = session()
        assert 80.0 == found.tick(60.0)
        found.tick(79.9)
        assert found.closed is None
        found.tick(80.0)
        assert Reason.PING_TIMEOUT == found.closed

    def test_the_next_ping_is_an_interval_after_the_one_that_was_answered(self):
        found = session()
        found.tick(25.0)
        found.receive(PONG)
        assert 50.0 == found.tick(45.0)
        assert 70.0 == found.tick(50.0)
        assert [PING, PING] == said(found)
        assert found.closed is None

    @pytest.mark.parametrize("packet", ["4hello", b"hello"])
    def test_a_message_is_no_pong(self, packet):
        found = session()
        found.tick(25.0)
        found.receive(packet)
        found.tick(45.0)
        assert Reason.PING_TIMEOUT == found.closed

    def test_a_timeout_longer_than_the_interval_does_not_put_off_the_next_ping(self):
        found = session(limits=Limits(ping_interval_s=5.0, ping_timeout_s=20.0))
        assert 10.0 == found.tick(5.0)
        assert 15.0 == found.tick(10.0)
        found.receive(PONG)
        found.tick(15.0)
        assert [PING, PING] == said(found)

    def test_the_ping_of_a_client_that_reads_nothing_counts_as_unread(self):
        found = session()
        found.send("4" + "x" * FIRST_MARK * LIMITS.max_unread_bytes)
        found.tick(25.0)
        assert Reason.SLOW == found.closed

    def test_a_client_that_is_not_read_is_pinged_and_does_not_time_out(self):
        found = session()
        found.tick(25.0)
        found.pause_reading(30.0)
        for now in (45.0, 50.0, 75.0, 100.0):
            found.tick(now)
        assert found.closed is None
        assert [PING] * 4 == said(found)

    def test_the_time_in_which_a_client_is_not_read_does_not_count_against_it(self):
        found = session()
        found.tick(25.0)
        found.pause_reading(30.0)
        found.resume_reading(75.0)
        found.tick(89.9)
        assert found.closed is None
        found.tick(90.0)
        assert Reason.PING_TIMEOUT == found.closed

    def test_a_pong_that_was_not_read_in_time_counts_when_it_is(self):
        found = session()
        found.pause_reading(20.0)
        found.tick(25.0)
        found.tick(45.0)
        found.resume_reading(70.0)
        found.receive(PONG)
        found.tick(90.0)
        assert found.closed is None

    def test_after_the_end_there_is_nothing_to_be_called_for(self):
        found = closed()
        assert found.tick(1_000.0) is None
        assert [] == said(found)


class TestEnd:
    @pytest.mark.parametrize("first", list(Reason))
    @pytest.mark.parametrize("second", list(Reason))
    def test_the_first_reason_stands(self, first, second):
        found = closed(first)
        found.close(second)
        assert first == found.closed

    def test_reasons_have_python_socketios_words_where_it_has_some(self):
        from engineio import AsyncServer

        stock = AsyncServer.reason
        expected = {
            Reason.CLIENT: stock.CLIENT_DISCONNECT,
            Reason.SERVER: stock.SERVER_DISCONNECT,
            Reason.PING_TIMEOUT: stock.PING_TIMEOUT,
            Reason.TRANSPORT_CLOSE: stock.TRANSPORT_CLOSE,
            Reason.TRANSPORT_ERROR: stock.TRANSPORT_ERROR,
        }
        assert expected == {reason: str(reason) for reason in expected}


INTERVAL_S = 10.0
packets = st.sampled_from(["", "0", "1", "2", "3", "4", "4x", "5", "6", "7", "2probe", "3probe", b"", b"x"])


class Machine(RuleBasedStateMachine):
    """Everything a shell can do to a session, in any order, against a model of what must come of it."""

    @initialize(
        transport=st.sampled_from(TRANSPORTS),
        timeout_s=st.sampled_from([3.0, 10.0, 30.0]),
        max_unread_bytes=st.integers(0, 4),
    )
    def begin(self, transport, timeout_s, max_unread_bytes):
        self.limits = Limits(
            ping_interval_s=INTERVAL_S, ping_timeout_s=timeout_s, max_unread_bytes=max_unread_bytes
        )
        self.now = 0.0
        self.session = Session("sid", transport=transport, limits=self.limits, now=self.now)
        self.waiting: list[str | bytes] = []
        self.reason: Reason | None = None
        self.transport = transport
        self.is_polled = self.is_probed = False
        self.alarm: float | None = self.session.deadline
        self.last_sign = self.pinged_at = self.now
        self.is_asked = False
        self.sent = self.noops = 0

    def ends(self, reason: Reason) -> None:
        """Note that this has to be its end, unless it has ended before."""
        self.reason = self.reason or reason

    def puts(self, packet: str | bytes) -> None:
        """Note that this has to be waiting now, unless it is too much."""
        if self.reason is None:
            waited = sum(map(len, map(framed, self.waiting)))
            self.waiting.append(packet)
            if waited > FIRST_MARK * self.limits.max_unread_bytes:
                self.waiting.clear()
                self.ends(Reason.SLOW)

    @rule(size=st.integers(0, 12), is_binary=st.booleans())
    def send(self, size, is_binary):
        self.sent += 1
        text = f"4{self.sent}." + "x" * size
        packet = text.encode() if is_binary else text
        self.session.send(packet)
        self.puts(packet)

    @rule(packet=packets)
    def receive(self, packet):
        if self.reason is not None:
            assert self.session.receive(packet) is None
        elif isinstance(packet, bytes):
            assert packet == self.session.receive(packet)
        elif packet[:1] == MESSAGE:
            assert packet[1:] == self.session.receive(packet)
        elif packet in {CLOSE, PONG}:
            assert self.session.receive(packet) is None
            if packet == PONG:
                self.last_sign, self.is_asked = self.now, False
            else:
                self.ends(Reason.CLIENT)
        else:
            with pytest.raises(BadEnginePacket):
                self.session.receive(packet)

    @rule()
    def poll(self):
        assert self.session.poll() is not self.is_polled
        if self.is_polled:
            self.ends(Reason.TRANSPORT_ERROR)
        self.is_polled = True

    @precondition(lambda self: self.is_polled)
    @rule()
    def cancel_poll(self):
        self.session.cancel_poll()
        self.is_polled = False
        self.ends(Reason.TRANSPORT_CLOSE)

    @precondition(lambda self: self.session.has_answer or self.session.transport == WEBSOCKET)
    @rule()
    def output(self):
        packets = said(self.session)
        if self.transport == WEBSOCKET:
            assert self.waiting == packets
        else:
            idle = NOOP if self.reason in {None, Reason.CLIENT} else CLOSE
            assert (self.waiting or [idle]) == packets
            if not self.waiting:
                self.noops -= 1
            self.is_polled = False
            assert not self.session.has_answer
        self.waiting = []

    @rule(packet=st.just("2probe") | packets)
    def start_probe(self, packet):
        if packet == "2probe" and self.transport == POLLING and not self.is_probed and self.reason is None:
            assert "3probe" == self.session.start_probe(packet)
            self.is_probed = True
            self.noops = 2
        else:
            with pytest.raises(BadEnginePacket):
                self.session.start_probe(packet)

    @rule(packet=st.just("5") | packets)
    def finish_probe(self, packet):
        if packet == "5" and self.is_probed and self.reason is None:
            self.session.finish_probe(packet)
            self.is_probed = self.is_polled = False
            self.transport = WEBSOCKET
        else:
            with pytest.raises(BadEnginePacket):
                self.session.finish_probe(packet)

    @rule()
    def end_poll(self):
        self.session.end_poll()
        if self.is_polled and self.is_probed:
            self.noops = max(self.noops, 1)

    @precondition(lambda self: self.is_probed)
    @rule()
    def abandon_probe(self):
        self.session.abandon_probe()
        self.is_probed = False

    @rule(reason=st.sampled_from(list(Reason)))
    def close(self, reason):
        self.session.close(reason)
        self.ends(reason)

    @rule(seconds=st.floats(0, 60))
    def pass_time(self, seconds):
        until = self.now + seconds
        while self.alarm is not None and self.alarm <= until:
            assert self.alarm > self.now or self.now == 0.0
            self.now = self.alarm
            self.tick()
        self.now = until

    def tick(self) -> None:
        """Ring as a wheel does, and note what has to come of it."""
        self.alarm = self.session.tick(self.now)
        if self.reason is not None:
            assert self.alarm is None
        elif self.is_asked:
            if self.now >= self.pinged_at + self.limits.ping_timeout_s:
                self.ends(Reason.PING_TIMEOUT)
        elif self.now >= self.pinged_at + INTERVAL_S:
            self.pinged_at, self.is_asked = self.now, True
            self.puts(PING)

    @invariant()
    def it_is_what_the_model_says(self):
        assert self.reason == self.session.closed
        assert self.transport == self.session.transport
        assert self.is_probed == self.session.is_probed
        assert self.is_polled == self.session.is_polled

    @invariant()
    def a_poll_has_an_answer_if_there_is_a_reason_for_one(self):
        has_reason = bool(self.waiting) or (self.is_probed and self.noops > 0) or self.reason is not None
        assert (self.is_polled and has_reason) == self.session.has_answer

    @invariant()
    def what_waits_is_bounded(self):
        assert sum(map(len, self.session.outbox[:-1])) <= FIRST_MARK * self.limits.max_unread_bytes
        assert self.waiting == [message_of(frame) for frame in self.session.outbox]

    @invariant()
    def who_does_not_answer_is_gone_after_interval_and_timeout(self):
        if self.reason is None:
            assert self.now < self.last_sign + INTERVAL_S + self.limits.ping_timeout_s + 1e-6


TestEverything = Machine.TestCase
