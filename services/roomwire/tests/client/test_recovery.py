"""What a client knows of its sessions: which offset counts, and when it is forgotten."""

import pytest
from socketio import packet

from roomwire.client.recovery import Session, Sessions

ANSWER = {"sid": "s", "pid": "p"}


def begun():
    session = Session()
    session.begin(ANSWER)
    return session


def offset_of(session):
    return session.payload({}).get("offset")


@pytest.mark.parametrize(
    ("data", "offset", "left"),
    [
        (["n"], None, ["n"]),
        (["n", "o"], "o", ["n"]),
        (["n", 1, "o"], "o", ["n", 1]),
        (["n", "text", "o"], "o", ["n", "text"]),
        (["n", b"x", "o"], "o", ["n", b"x"]),
        (["n", 1], None, ["n", 1]),
        (["n", "text", None], None, ["n", "text", None]),
    ],
)
def test_the_offset_is_the_last_text_and_is_removed(data, offset, left):
    session = begun()
    session.arrived(data)

    assert left == data
    assert offset == offset_of(session)


def test_the_application_s_values_take_precedence_and_come_last():
    session = begun()
    session.arrived(["n", "o"])

    assert {"pid": "mine", "offset": "o", "token": "t"} == session.payload({"token": "t", "pid": "mine"})


@pytest.mark.parametrize("auth", ["a text", ["a", "list"], 5])
def test_a_payload_that_is_no_mapping_stays_as_it_is(auth):
    assert auth == begun().payload(auth)


@pytest.mark.parametrize("answer", [None, "", {"sid": "s"}, {"sid": "s", "pid": None}])
def test_an_answer_without_a_secret_begins_a_session_that_cannot_be_recovered(answer):
    session = begun()
    session.begin(answer)

    assert not session.has_recovered
    assert {} == session.payload({})


def test_a_session_is_not_recovered_until_the_server_has_said_so():
    session = begun()
    session.begin(ANSWER)
    assert session.has_recovered

    session.payload({})

    assert not session.has_recovered


def _fail(arrival):
    with pytest.raises(RuntimeError), arrival.handled():
        raise RuntimeError


def _succeed(arrival):
    with arrival.handled():
        pass


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ("", "3"),
        ("3+", "3"),
        ("3-", "2"),
        ("2-", "3"),
        ("2- 3-", "1"),
        ("3- 2-", "1"),
        ("1- 2- 3-", None),
        ("3- 1- 2-", None),
        ("2+ 1- 3-", "2"),
        ("1+ 2- 3-", "1"),
    ],
)
def test_an_offset_counts_from_its_arrival_unless_the_handler_fails(ends, expected):
    session = begun()
    arrivals = {name: session.arrived(["n", name]) for name in "123"}
    for name, end in ends.split():
        (_succeed if end == "+" else _fail)(arrivals[name])

    assert expected == offset_of(session)


def test_a_handler_that_fails_late_does_not_change_the_next_session():
    session = begun()
    late = session.arrived(["n", "1"])
    session.begin({"sid": "s2", "pid": "q"})
    session.arrived(["n", "2"])
    _fail(late)

    assert "2" == offset_of(session)


def test_arrivals_that_were_handled_are_not_kept():
    session = begun()
    last = None
    for number in range(10):
        last = session.arrived(["n", str(number)])
        (_succeed if number % 2 else _fail)(last)

    assert last.previous is None


def test_each_namespace_has_a_session_of_its_own():
    sessions = Sessions()
    sessions.take(packet.Packet(packet.CONNECT, ANSWER, "/den"))
    den, rest = (packet.Packet(packet.EVENT, ["n", "o"], namespace) for namespace in ("/den", None))

    assert "o" == sessions.take(den).offset
    assert sessions.take(rest) is None
    assert {"pid": "p", "offset": "o"} == sessions.of("/den").payload({})
    assert {} == sessions.of("/").payload({})


def test_an_event_that_wants_an_ack_keeps_its_last_text():
    sessions = Sessions()
    sessions.take(packet.Packet(packet.CONNECT, ANSWER))
    asked = packet.Packet(packet.EVENT, ["n", "o"], id=1)

    assert sessions.take(asked) is None
    assert ["n", "o"] == asked.data


def test_a_disconnect_ends_the_session():
    sessions = Sessions()
    sessions.take(packet.Packet(packet.CONNECT, ANSWER))
    sessions.take(packet.Packet(packet.DISCONNECT))

    assert {} == sessions.of("/").payload({})
