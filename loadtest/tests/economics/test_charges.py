"""The rates that `make economics` reads from the code's tables are those that the chat and the API hold their senders to."""

import json
import math

import httpx
import msgspec
import pytest

from roomwire.app.api.actions import Actions
from roomwire.app.api.bodies import EntryAnswer, HistoryAnswer, MemberAnswer, PresenceAnswer
from roomwire.app.api.callers import Callers, parse_keys
from roomwire.app.api.rate import Rate
from roomwire.app.api.routes import api_app
from roomwire.app.settings import GatewaySettings
from roomwire.identity.capabilities import load_policy
from roomwire.limits.client import Limits
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.sources import Proxies
from roomwire.server import Server
from roomwire.testing import Refused
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.chat import ChatGateway
from roomwire_loadtest.economics.charges import Charge, charges_of, times_of_one_connection, units_of
from roomwire_loadtest.economics.things import CROWD, EVENTS, FULL, Row, Words, request_of, rows, spoken_of

MEMBERS = 120
WIDE = "x" * 4_000
KEY = "k" * 40
RATES = ("max_events_per_s", "max_events_per_user_per_s")


def event(name, token="none"):
    return Row("event", name, "WebSocket", "after CONNECT", token)


def limits():
    return Limits(**{name: GatewaySettings.model_fields[name].default for name in RATES})


async def burst(client, name):
    """Return how many events of a kind are accepted at this moment, and the bytes of the largest answer."""
    size = 0
    for number in range(1_000):
        (packet,) = spoken_of(event(name)).packets(number, Words(f"by-{name}"))
        try:
            answer = await client.call(*json.loads(packet[packet.index("[") :]))
        except Refused as error:
            if error.code == "rate_limited":
                return number, size
        else:
            size = max(size, len(msgspec.json.encode(answer)))
    raise AssertionError("there is no limit")


async def test_of_every_event_of_the_chat_a_connection_may_send_as_many_at_once_as_its_charge_says(nodes):
    async with nodes(ChatGateway, limits=limits()) as cluster:
        writer = await cluster.connect("writer")
        for _ in range(40):
            await writer.call("chatMessage", {"roomId": FULL, "userName": "u", "message": WIDE})
        for number in range(MEMBERS):
            member = await cluster.connect(f"member-{number}")
            await member.call("joinRoom", {"roomId": CROWD, "userName": "u"})

        found, said = {}, {}
        for name in EVENTS:
            eve = await cluster.connect(f"eve-{name}")
            found[name], size = await burst(eve, name)
            (charge,) = charges_of(event(name), crowd=MEMBERS, answer_bytes=size)
            said[name] = math.ceil(charge.at_once)
            eve.close()

    # A sum of floats may be below the burst by a rounding error, and one more event is accepted.
    assert {} == {name: (said[name], found[name]) for name in said if found[name] - said[name] not in {0, 1}}


class Full(Actions):
    """An application with a crowd and a full room, which says nothing."""

    def saying(self, message, message_id):
        return []

    async def largest_rooms(self, *, namespace, limit):
        return []

    async def members(self, room, *, namespace, limit):
        one = MemberAnswer(id="i", name="n", user="u", kind="guest", gateway="g", connected=True)
        return PresenceAnswer(room=room, total=limit, members=[one] * limit, missing=[])

    async def remembered(self, room, *, namespace, after, limit):
        messages = [EntryAnswer(position="1-1", entry=WIDE)] * limit
        return HistoryAnswer(room=room, messages=messages, joined=True, more=False)


@pytest.mark.parametrize(
    "name", ["GET /api/v1/presence", "GET /api/v1/history", "GET /api/v1/rooms", "POST /api/v1/publish"]
)
async def test_a_caller_may_make_as_many_calls_at_once_as_their_charge_says(name):
    per_s = GatewaySettings.model_fields["api_max_per_s"].default
    server = Server()
    server.on("rooms", lambda *_: None)
    app = api_app(
        Full(server),
        callers=Callers(parse_keys(f"tests admin {KEY}", load_policy())),
        rate=Rate(per_s, clock=lambda: 0.0),
        max_body_bytes=100_000,
        requests=Metrics().api_requests,
        proxies=Proxies(()),
    )
    request = request_of(Row("API", name, "HTTP", "", "key"))(0, Words("e1"))
    statuses, size = [], 0
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://api",
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": request.kind},
    ) as http:
        while 429 not in statuses:
            answer = await http.request(request.method, request.path, content=request.body)
            statuses.append(answer.status_code)
            size = len(answer.content) if answer.status_code == 200 else size

    (charge,) = charges_of(Row("API", name, "HTTP", "", "key"), crowd=1_000, answer_bytes=size)
    assert [200] * math.ceil(charge.at_once) + [429] == statuses


def test_a_user_has_a_rate_over_all_its_connections_and_a_client_without_a_token_one_for_each():
    own = Charge("ROOMWIRE_MAX_EVENTS_PER_S", 50.0, 50.0, is_of_connection=True)

    assert [own] == [*charges_of(event("presence"), crowd=0, answer_bytes=0)]
    assert [own, Charge("ROOMWIRE_MAX_EVENTS_PER_USER_PER_S", 150.0, 150.0)] == [
        *charges_of(event("presence", "guest"), crowd=0, answer_bytes=0)
    ]
    assert 3.0 == times_of_one_connection("ROOMWIRE_MAX_EVENTS_PER_USER_PER_S")


def test_each_setting_that_is_named_exists_and_what_ends_a_session_or_has_no_caller_has_no_charge():
    settings = {**GatewaySettings.model_fields, **AuthSettings.model_fields}
    charged = {}
    for row in rows():
        charges = charges_of(row, crowd=0, answer_bytes=0)
        assert {*()} == {each.setting.removeprefix("ROOMWIRE_").lower() for each in charges} - {*settings}
        if charges:
            charged.setdefault(row.surface, set()).add(row.name)

    assert {"CONNECT", "DISCONNECT", "EVENT", "BINARY_EVENT"} == charged["Socket.IO"]
    assert {*EVENTS} == charged["event"]
    assert "Engine.IO" not in charged
    assert 0 == units_of(Row("API", "GET /api/v1/rooms", "HTTP", "", "none"), crowd=0, answer_bytes=0)


def test_each_new_connection_has_its_own_burst_and_a_rate_of_a_user_does_not_begin_again():
    own = Charge("ROOMWIRE_MAX_EVENTS_PER_S", 100.0, 100.0, is_of_connection=True)
    user = Charge("ROOMWIRE_MAX_EVENTS_PER_USER_PER_S", 300.0, 300.0)

    assert (500.0, 1_200.0) == (own.most(2.0, 3), user.most(3.0, 3))
