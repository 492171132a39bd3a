"""What every call has in common: retries, limits, the audit, the schema."""

import asyncio
import json

import httpx
import pytest
from backends import ADMIN, ROOM, token
from waiting import until

from roomwire.limits.costs import ANSWER_BYTES


async def cut_off(system, client, body, headers):
    """Publish over a connection that is lost before its answer comes, when a client has heard what it said."""
    http = system._https[0]
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    raw = json.dumps(body).encode()
    lines = [
        "POST /api/v1/publish HTTP/1.1",
        "host: api",
        f"authorization: Bearer {ADMIN}",
        "content-type: application/json",
        f"content-length: {len(raw)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + raw)
    await until(lambda: [event for event in client.events if event[0] == "paid"])
    writer.transport.abort()
    del reader


@pytest.mark.parametrize("by", ["header", "id"])
@pytest.mark.parametrize("to", [{"room": ROOM}, {"user": "account:1"}, {"everyone": True}], ids=str)
async def test_what_is_sent_again_under_its_key_after_a_lost_connection_is_heard_once(system, by, to):
    mine = token({"*": ["join"]})
    plain, full = await system.person(0, bearer=mine), await system.person(1, bearer=mine, structured=True)
    headers = {"idempotency-key": "order-17"} if by == "header" else {}
    names = {} if by == "header" else {"id": "order-17"}
    body = {
        "messages": [
            {**to, "event": "paid", "args": [number], **({"id": f"{number}"} if names else {})}
            for number in (1, 2)
        ]
    }
    await cut_off(system, plain, body, headers)

    for of in (0, 1):
        assert {"published": 2} == await system.post("/publish", body, of=of, headers=headers)
    other = {"idempotency-key": "order-18"} if by == "header" else {}
    last = {"messages": [{**to, "event": "paid", "args": [3], **({"id": "3"} if names else {})}]}
    await system.post("/publish", last, headers=other)
    for client in (plain, full):
        await until(lambda client=client: ["paid", 3] in client.events)
        assert [1, 2, 3] == [event[1] for event in client.events if event[0] == "paid"]


async def test_a_key_is_its_callers(system):
    ann = await system.person(0)
    body = {"messages": [{"room": ROOM, "event": "paid"}]}
    for bearer in (
        ADMIN,
        "s" * 40,
        token({"*": ["publish", "emit"]}),
        token({"*": ["publish", "emit"]}, id_="account:2"),
    ):
        await system.post("/publish", body, bearer=bearer, headers={"idempotency-key": "1"})
    await system.post("/publish", {"messages": [{"room": ROOM, "event": "end"}]})
    await ann.event("end")

    assert 4 == len([event for event in ann.events if event[0] == "paid"])


BAD = [
    pytest.param({"messages": []}, id="no message"),
    pytest.param({"messages": [{"event": "x"}]}, id="no target"),
    pytest.param({"messages": [{"event": "x", "room": "a", "user": "b"}]}, id="two targets"),
    pytest.param({"messages": [{"event": "x", "everyone": False}]}, id="not everyone"),
    pytest.param({"messages": [{"event": "x", "room": ""}]}, id="a room without a name"),
    pytest.param({"messages": [{"event": "x", "room": "a" * 65}]}, id="a long room"),
    pytest.param({"messages": [{"event": "", "room": "a"}]}, id="an event without a name"),
    pytest.param({"messages": [{"event": "x", "room": "a", "args": {}}]}, id="arguments that are no list"),
    pytest.param({"messages": [{"event": "x", "room": "a", "args": [0] * 17}]}, id="many arguments"),
    pytest.param({"messages": [{"event": "x", "room": "\ud800"}]}, id="half a character in a room"),
    pytest.param({"messages": [{"event": "x", "room": "a", "id": ""}]}, id="an empty id"),
    pytest.param({"messages": [{"event": "x", "room": "a"}] * 101}, id="many messages"),
    pytest.param({"messages": [1]}, id="no object"),
    *(
        pytest.param({"messages": [{"event": event, "room": "a"}]}, id=event)
        for event in (
            "connect",
            "disconnect",
            "connect_error",
            "disconnecting",
            "newListener",
            "removeListener",
        )
    ),
]


@pytest.mark.parametrize("body", BAD)
async def test_a_bad_body_is_told_and_nothing_of_it_is_said(start, body):
    system = await start(gateways=1)
    response = await system.call(
        "POST", "/publish", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert (422, "invalid_body") == (response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize(
    ("args", "heard"),
    [
        ("[" * 5_000 + "]" * 5_000, None),
        ("[" * 200 + "]" * 200, json.loads("[" * 200 + "]" * 200)),
        ("[NaN]", [None]),
        ("[1e999]", [None]),
        (f"[{2**70}]", [2**70]),
        ('["\\ud800"]', ["\ud800"]),
    ],
    ids=["very deep", "deep", "NaN", "infinite", "large", "half a character"],
)
async def test_what_json_spells_is_heard_or_refused_and_no_defect(start, args, heard):
    system = await start(gateways=1)
    ann = await system.person(0)
    content = f'{{"messages": [{{"event": "x", "room": "{ROOM}", "args": {args}}}]}}'
    response = await system.call(
        "POST", "/publish", content=content, headers={"content-type": "application/json"}
    )
    assert (200 if heard else 422) == response.status_code
    if heard:
        assert heard == await ann.event("x")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?room=",
        "?room=a&limit=0",
        "?room=a&limit=x",
        "?room=a&after=now",
        "?room=a&after=" + "9" * 20 + "-0",
    ],
)
async def test_a_bad_query_is_told(start, query):
    system = await start(gateways=1)
    response = await system.call("GET", f"/history{query}")
    assert (422, "invalid_body") == (response.status_code, response.json()["error"]["code"])


async def test_bodies_have_a_limit(start):
    system = await start(gateways=1, max_body_bytes=10_000)
    message = {"room": ROOM, "event": "x", "args": ["y" * 10_000]}
    response = await system.call("POST", "/publish", json={"messages": [message]})
    assert (413, "too_large") == (response.status_code, response.json()["error"]["code"])


async def test_a_caller_that_asks_too_fast_has_to_wait_and_others_do_not(start):
    system = await start(gateways=1, api_max_per_s=0.01)
    batch = {"messages": [{"room": ROOM, "event": "x"}] * 3}
    assert 200 == (await system.call("POST", "/publish", json=batch)).status_code
    refused = await system.call("GET", "/rooms")
    assert (429, "rate_limited", True) == (
        refused.status_code,
        refused.json()["error"]["code"],
        refused.json()["error"]["retryable"],
    )
    # Three messages, a hundred seconds each; the first second is free.
    assert 290 < int(refused.headers["retry-after"]) <= 300
    assert 200 == (await system.call("GET", f"/history?room={ROOM}", bearer="s" * 40)).status_code


async def test_a_large_history_is_charged_by_its_bytes(start):
    system = await start(gateways=1, api_max_per_s=0.01)
    text = {"id": "1", "user": "ada", "text": "x" * 2 * ANSWER_BYTES, "at": "2026-01-01T00:00:00Z"}
    said = {"room": ROOM, "event": "roomMessage", "args": ["x", text]}
    other = {"bearer": "s" * 40}
    keeping = {"messages": [said | {"keeps_history": True}]}
    assert 200 == (await system.call("POST", "/publish", json=keeping)).status_code
    assert 200 == (await system.call("GET", f"/history?room={ROOM}", **other)).status_code

    refused = await system.call("GET", "/rooms", **other)
    # The request and two pieces of its answer, a hundred seconds each.
    assert (429, True) == (refused.status_code, 290 < int(refused.headers["retry-after"]) <= 300)


async def test_while_redis_is_away_callers_are_told_to_try_again(start, own_redis):
    system = await start(gateways=1, url=own_redis.url, redis_timeout_s=0.3)
    own_redis.kill()
    for method, path, body in (
        ("POST", "/publish", {"messages": [{"room": ROOM, "event": "x"}]}),
        ("GET", f"/history?room={ROOM}", None),
        ("GET", f"/presence?room={ROOM}", None),
        ("GET", "/rooms", None),
        ("POST", "/disconnect", {"user": "account:1"}),
        ("POST", "/move", {"room": ROOM, "to": "hall"}),
        ("POST", "/ban", {"user": "account:1", "for_s": 60}),
        ("POST", "/mute", {"user": "account:1", "for_s": 60}),
    ):
        response = await system.call(method, path, json=body)
        assert (503, "unavailable", True) == (
            response.status_code,
            response.json()["error"]["code"],
            response.json()["error"]["retryable"],
        ), path


async def test_each_call_that_changes_something_is_one_line_without_what_was_said(start, log_events):
    system = await start(gateways=1)
    message = {"event": "Secret", "args": ["Secret"], "id": "Secret"}
    await system.post("/publish", {"messages": [{"room": ROOM, **message}, {"user": "account:1", **message}]})
    await system.call("POST", "/publish", json={"messages": [{"everyone": True, **message}]}, bearer="s" * 40)
    await system.post("/disconnect", {"user": "account:1"})
    await system.post("/move", {"room": ROOM, "to": "acme:hall"})
    await system.post("/ban", {"user": "account:1", "for_s": 60})
    await system.call("POST", "/mute", json={"user": "account:1", "for_s": 60}, bearer="s" * 40)
    await system.get("/rooms")

    lines = [event for event in log_events if event["event"] == "api call"]
    common = {"event": "api call", "log_level": "info", "audit": True, "caller": "key:root", "code": "ok"}
    common["address"] = "127.0.0.1"
    assert [
        {**common, "operation": "publish", "messages": 2, "to": [f"room {ROOM}", "user account:1"]},
        {
            **common,
            "operation": "publish",
            "messages": 1,
            "to": ["everyone"],
            "caller": "key:shop",
            "code": "forbidden",
        },
        {**common, "operation": "disconnect", "user": "account:1", "done": 0, "failed": 0},
        {
            **common,
            "operation": "move",
            "room": ROOM,
            "to": "acme:hall",
            "user": "all",
            "done": 0,
            "refused": 0,
            "failed": 0,
        },
        {**common, "operation": "ban", "user": "account:1", "for_s": 60},
        {
            **common,
            "operation": "mute",
            "user": "account:1",
            "for_s": 60,
            "caller": "key:shop",
            "code": "forbidden",
        },
    ] == lines
    assert "Secret" not in str(lines)


@pytest.mark.parametrize(("trusted", "address"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.9")])
async def test_the_line_of_a_call_has_the_address_that_a_trusted_proxy_saw(
    start, log_events, trusted, address
):
    system = await start(gateways=1, trusted_proxies=trusted)
    body = {"messages": [{"everyone": True, "event": "x"}]}
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    await system.call("POST", "/publish", json=body, headers=forwarded)

    assert [address] == [event["address"] for event in log_events if event["event"] == "api call"]


async def test_answers_are_counted_by_route_and_status(start):
    system = await start(gateways=1)
    await system.get("/rooms")
    await system.call("GET", "/rooms", bearer=None)
    await system.call("GET", "/nothing")
    running = system.gateways[0]

    assert 1 == running.metric("api_requests_total", route="/api/v1/rooms", status="200")
    assert 1 == running.metric("api_requests_total", route="other", status="401")
    assert 1 == running.metric("api_requests_total", route="other", status="404")


async def test_the_schema_describes_every_route_and_its_failures_and_needs_no_token(start):
    system = await start(gateways=1)
    schema = (await system.call("GET", "/openapi.json", bearer=None)).json()

    routes = {path.removeprefix("/api/v1") for path in schema["paths"]}
    assert {"/publish", "/rooms", "/presence", "/history", "/disconnect", "/move", "/ban", "/mute"} == routes
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert {"200", "401", "403", "404", "413", "422", "429", "500", "503"} == {
                *operation["responses"]
            }
            assert [{"HTTPBearer": []}] == operation["security"]
            error = operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"]
            assert error.endswith("/ErrorAnswer")


async def test_without_a_port_there_is_no_api_and_on_the_public_port_there_is_none_either(start, gateway):
    system = await start(gateways=1)
    running = await gateway()
    assert running.app._api is None
    async with httpx.AsyncClient(trust_env=False) as http:
        for address in (running.address, system.gateways[0].address):
            response = await http.get(
                f"http://{address}/api/v1/rooms", headers={"authorization": f"Bearer {ADMIN}"}
            )
            assert 404 == response.status_code
